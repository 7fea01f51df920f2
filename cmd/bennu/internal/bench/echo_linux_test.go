package bench

import (
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// newOptions are the defaults with some flags.
func newOptions(t *testing.T, args ...string) *options {
	t.Helper()
	var o options
	c := &cobra.Command{Use: "bench"}
	o.flags(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	return &o
}

// newIdleLoop returns a loop with connections that seem to be open and whose sockets write nothing, so
// that a test can act as the server and the clock.
func newIdleLoop(o *options) *loop {
	l := &loop{o: o, began: time.Now(), report: &Report{}, conns: make([]conn, o.connections), corked: -1, marker: newMarker("test"), opened: o.connections}
	l.prepare()
	for i := range l.conns {
		l.conns[i] = conn{fd: -1, state: open, unsent: []byte{0}}
	}
	return l
}

func (p *echoPhase) answer(n int) {
	k := p.kind
	p.reply(0, k, n, true, newTemplate(`{"text":"{text}"}`).append(nil, p.l.marker, k, n, 0))
}

// If a server stalls, the latency includes all echoes that should have been sent meanwhile, not only
// those that were sent.
func TestEchoWhileTheServerStalls(t *testing.T) {
	l := newIdleLoop(newOptions(t, "--connections", "3", "--echo-rate", "1000", "--echo-time", "1s"))
	p := l.newEcho()
	p.start, p.pace.start, l.now = 0, 0, 0
	// For a second no echo comes back.
	for ; l.now < time.Second; l.now += time.Millisecond / 2 {
		if _, done, err := p.step(l.now); done || err != nil {
			t.Fatalf("at %v: done %v, %v", l.now, done, err)
		}
	}
	if p.sent != 1000 {
		t.Fatalf("%d were sent", p.sent)
	}
	// Then all echoes come at once.
	for n := range 1000 {
		p.answer(n)
	}
	if _, done, err := p.step(l.now); !done || err != nil {
		t.Errorf("done %v, %v", done, err)
	}
	took, late := p.took.summary(), p.late.summary()
	if took.Count != 1000 || took.Max < 999_000 || took.P50 < 490_000 || took.P50 > 510_000 {
		t.Errorf("latencies %+v: the stall is not in them", took)
	}
	if late.Max > 600 {
		t.Errorf("the bench was in time, and says %+v", late)
	}
}

// The same if the bench itself is late: the latency begins at the time at which it should have sent, and
// the report has the lateness of the bench.
func TestEchoWhileTheBenchStalls(t *testing.T) {
	l := newIdleLoop(newOptions(t, "--connections", "3", "--echo-rate", "1000", "--echo-time", "1s"))
	p := l.newEcho()
	p.start, p.pace.start, l.now = 0, 0, time.Second
	if _, _, err := p.step(l.now); err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		p.answer(n)
	}
	took, late := p.took.summary(), p.late.summary()
	if took.Count != 1000 || took.Max < 999_000 || late.Max < 999_000 || late.P50 < 490_000 {
		t.Errorf("latencies %+v, lateness %+v: the stall is not in them", took, late)
	}
}

// A reply counts once, and only if its push was sent.
func TestEchoReplies(t *testing.T) {
	for _, name := range []string{phaseEcho, phaseLoad} {
		t.Run(name, func(t *testing.T) {
			l := newIdleLoop(newOptions(t, "--connections", "2", "--echo-rate", "2", "--echo-time", "1s", "--load-connections", "2", "--load-outstanding", "1"))
			p := l.newLoad()
			first := len(p.slots)
			if name == phaseEcho {
				p, first = l.newEcho(), 0
			}
			p.until = 0
			p.start, l.now = 0, time.Hour
			if _, _, err := p.step(l.now); err != nil {
				t.Fatal(err)
			}
			p.answer(first)
			p.answer(first) // twice
			p.answer(99)    // never sent
			p.reply(1, p.kind, first+1, true, []byte(`{"text":"something else"}`))
			if p.answered != 1 || p.errors != 1 || l.report.Faults.Malformed["a second reply to one echo"] != 2 {
				t.Errorf("%d answered, %d errors, faults %+v", p.answered, p.errors, l.report.Faults)
			}
			if _, done, _ := p.step(l.now); !done {
				t.Error("it goes on")
			}
		})
	}
}
