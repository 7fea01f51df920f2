package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table prints the report for people.
func (r *Report) table(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.line("%s, %d connections with %d topics, payloads of %d bytes", r.URL, r.Connections, r.Topics, r.Payload)
	if c := r.Connect; c != nil {
		t.connect("connect", "all at once until all have joined", c)
	}
	if e := r.Echo; e != nil {
		t.head("echo", "%.0f a second, latencies from the intended moment", e.Complete, e.Rate)
		t.echo(e)
		t.latency("the bench itself was late by", e.Lateness)
	}
	if e := r.Load; e != nil {
		t.head("load", "%d connections with %d echoes outstanding each", e.Complete, e.Senders, e.InProgress)
		t.echo(e)
	}
	if c := r.Subscribe; c != nil {
		t.connect("subscribe", "joins of the topics of the broadcasts", c)
	}
	if b := r.Broadcast; b != nil {
		t.head("broadcast", "one at a time to %d subscribers", b.Complete, b.Subscribers)
		t.broadcast(b)
	}
	if b := r.Ahead; b != nil {
		t.head("ahead", "%d queued ahead to %d subscribers", b.Complete, b.Ahead, b.Subscribers)
		t.broadcast(b)
	}
	if s := r.Slow; s != nil {
		t.head("slow", "%d of %d subscribers do not read, %d queued ahead; figures are of the others", s.Complete, s.Readers, s.Readers+s.Subscribers, s.Ahead)
		t.broadcast(&s.Broadcast)
		t.row("slow readers closed", "%s; %d still open", counts(s.Closed), s.Open)
		t.row("missing between what they got", "%d", s.SlowGaps)
		if s.MemoryFrom > 0 {
			t.row("server memory grown", "%s (from %s, peak %s)", size(float64(s.Grown)), size(float64(s.MemoryFrom)), size(float64(s.MemoryPeak)))
		}
	}
	if c := r.Reconnect; c != nil {
		t.connect("reconnect", "all dropped at once, until all have joined again", c)
	}
	if m := r.Memory; m != nil {
		t.memory(m)
	}
	t.faults(&r.Faults)
	switch {
	case r.Interrupted:
		t.line("\nINTERRUPTED: these are the figures until then.")
	case r.Error != "":
		t.line("\nINCOMPLETE: %s", r.Error)
	case !r.Complete:
		t.line("\nINCOMPLETE: something was lost, see above.")
	default:
		t.line("\nComplete: nothing was lost.")
	}
	return t.w.Flush()
}

// table has rows of a name and a value, under headings.
type table struct{ w *tabwriter.Writer }

func (t *table) line(format string, args ...any) {
	t.w.Flush()
	fmt.Fprintf(t.w, format+"\n", args...)
	t.w.Flush()
}

func (t *table) head(name, format string, complete bool, args ...any) {
	mark := ""
	if !complete {
		mark = "  INCOMPLETE"
	}
	t.line("\n%s: "+format+"%s", append(append([]any{name}, args...), mark)...)
}

func (t *table) row(name, format string, args ...any) {
	fmt.Fprintf(t.w, "  %s\t"+format+"\n", append([]any{name}, args...)...)
}

func (t *table) connect(name, what string, c *Connect) {
	t.head(name, "%s", c.Complete, what)
	t.row("connections", "%d of %d, %d topics joined, %d tries refused", c.Connected, c.Wanted, c.Joins, c.Refused)
	t.row("time", "%.3f s", c.Seconds)
	t.latency("a connection, first try to last join", c.Latency)
	t.cost("a join", &c.Cost)
}

func (t *table) echo(e *Echo) {
	t.row("echoes", "%d of %d, %d errors, %d lost", e.Answered, e.Sent, e.Errors, e.Lost)
	t.row("rate", "%.0f a second over %.2f s", e.PerSecond, e.Seconds)
	t.latency("latency", e.Latency)
	t.cost("an echo", &e.Cost)
}

func (t *table) broadcast(b *Broadcast) {
	t.row("deliveries", "%d of %d for %d broadcasts, %d missing, %d out of order, %d errors", b.Delivered, b.Expected, b.Sent, b.Missing, b.Disordered, b.Errors)
	t.row("rate", "%.0f deliveries a second over %.2f s", b.PerSecond, b.Seconds)
	t.latency("latency of a delivery", b.Latency)
	t.latency("until half of the subscribers had it", b.Half)
	t.latency("until 99 % had it", b.Most)
	t.latency("until the last had it", b.Last)
	t.cost("a delivery", &b.Cost)
}

func (t *table) latency(name string, l *Latency) {
	if l == nil {
		return
	}
	t.row(name, "p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", short(l.P50), short(l.P90), short(l.P99), short(l.P999), short(l.Max))
}

func (t *table) cost(op string, c *Cost) {
	if c.Server > 0 {
		t.row("server CPU", "%.2f µs %s (%.2f s)", c.ServerPerOp, op, c.Server)
	}
	t.row("bench CPU", "%.2f µs %s (%.2f s)", c.BenchPerOp, op, c.Bench)
}

func (t *table) memory(m *Memory) {
	t.line("\nmemory: resident, and its growth for each connection")
	collected := ""
	if m.Collected {
		collected = ", garbage collected"
	}
	t.process("server", m.ServerBefore, m.ServerIdle, m.ServerTraffic, m.ServerPerIdle, m.ServerPerAfter, collected)
	if m.ServerPerTopic != 0 {
		t.row("server, a joined topic", "idle %s", size(m.ServerPerTopic))
	}
	t.process("bench", m.BenchBefore, m.BenchIdle, m.BenchTraffic, m.BenchPerIdle, m.BenchPerAfter, "")
	t.row("bench CPU", "%.2f s in all", m.BenchCPU)
}

// process adds the readings of one process that the run has made.
func (t *table) process(name string, before, idle, traffic int64, perIdle, perTraffic float64, note string) {
	switch {
	case before == 0:
		return
	case idle == 0:
		t.row(name, "before %s%s", size(float64(before)), note)
		return
	case traffic == 0:
		t.row(name, "before %s, idle %s%s", size(float64(before)), size(float64(idle)), note)
		t.row(name+", a connection", "idle %s", size(perIdle))
		return
	}
	t.row(name, "before %s, idle %s, after traffic %s%s", size(float64(before)), size(float64(idle)), size(float64(traffic)), note)
	t.row(name+", a connection", "idle %s, after traffic %s", size(perIdle), size(perTraffic))
}

func (t *table) faults(f *Faults) {
	if !f.any() && len(f.Refused) == 0 {
		return
	}
	t.line("\nwhat went wrong")
	for _, m := range []struct {
		name string
		m    map[string]int
	}{{"tries refused", f.Refused}, {"connections closed", f.Closed}, {"error replies", f.Errors}, {"malformed", f.Malformed}} {
		if len(m.m) > 0 {
			t.row(m.name, "%s", counts(m.m))
		}
	}
	for _, n := range []struct {
		name string
		n    int
	}{{"connections given up", f.GivenUp}, {"channels crashed (phx_error)", f.Channels}, {"channels closed (phx_close)", f.ChannelCloses}, {"heartbeats unanswered", f.Heartbeats}} {
		if n.n > 0 {
			t.row(n.name, "%d", n.n)
		}
	}
	for _, phase := range f.Stalled {
		t.row("stalled", "%s: nothing happened for too long", phase)
	}
}
