package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

var (
	errNobody    = errors.New("no connection is left")
	errPublisher = errors.New("the connection that makes the server broadcast was lost")
)

// quoted returns text as a JSON string.
func quoted(text string) []byte {
	out, _ := json.Marshal(text) // a string always can be
	return out
}

// measure runs all phases. The report has the figures of the phases that ran, also after an error.
func measure(ctx context.Context, o *options, t *target, r *Report, show *progress) (err error) {
	l, err := newLoop(o, t, r, show)
	if err != nil {
		return err
	}
	defer l.close()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a fault of the bench: %v\n%s", v, debug.Stack())
		}
	}()
	l.prepare()
	err = l.tour(ctx)
	if cpu, cpuErr := l.self.cpu(); cpuErr == nil && r.Memory != nil {
		r.Memory.BenchCPU = seconds(cpu)
	}
	return err
}

// prepare encodes the parts of messages that are sent many times.
func (l *loop) prepare() {
	a := &l.o.app
	topic := quoted(a.topic)
	l.topicJSON, l.castTopic, l.slowTopic = string(topic), quoted(a.castTopic), quoted(a.slowTopic)
	l.echoEvent, l.castEvent, l.collectEvent = quoted(a.echoEvent), quoted(a.castEvent), quoted(a.collectEvent)
	l.echoPayload, l.castPayload = newTemplate(a.echoPayload), newTemplate(a.castPayload)
}

func (l *loop) tour(ctx context.Context) error {
	if err := l.probe(ctx); err != nil {
		return err
	}
	if err := l.connect(ctx); err != nil {
		return err
	}
	for _, phase := range []struct {
		name string
		run  func(context.Context) error
	}{
		{phaseEcho, func(ctx context.Context) (err error) {
			l.report.Echo, err = l.echoes(ctx, phaseEcho, l.newEcho())
			return err
		}},
		{phaseLoad, func(ctx context.Context) (err error) {
			l.report.Load, err = l.echoes(ctx, phaseLoad, l.newLoad())
			return err
		}},
		{phaseBroadcast, l.broadcast},
		{phaseAhead, l.ahead},
	} {
		if !l.o.wants(phase.name) {
			continue
		}
		if err := phase.run(ctx); err != nil {
			return err
		}
	}
	if err := l.traffic(ctx); err != nil {
		return err
	}
	if l.o.wants(phaseSlow) {
		if err := l.slow(ctx); err != nil {
			return err
		}
	}
	if l.o.wants(phaseReconnect) {
		return l.reconnect(ctx)
	}
	return nil
}

// goOn records a phase that stalled as a fault, and returns nil for it, so that the next one runs.
func (l *loop) goOn(name string, err error) error {
	if errors.Is(err, errStalled) {
		l.report.Faults.Stalled = append(l.report.Faults.Stalled, name)
		return nil
	}
	return err
}

// probe connects and joins once, so that a mistake is reported at once and in full.
func (l *loop) probe(ctx context.Context) error {
	m := l.report.Memory
	p := l.newConnect("first connection", 0, 1, l.o.topics)
	p.once = true
	err := l.run(ctx, p)
	switch {
	case errors.Is(err, errStalled):
		return fmt.Errorf("the server did not answer the first connection or its join within %v", l.o.timeout)
	case err != nil:
		return err
	case p.done == 0:
		return fmt.Errorf("the first connection failed: %w", p.why)
	}
	if m.Collected, err = l.settle(ctx); err != nil {
		return err
	}
	l.leave(0)
	m.ServerBefore, err = l.server.memory()
	return err
}

func (l *loop) connect(ctx context.Context) error {
	meter, err := l.meter()
	if err != nil {
		return err
	}
	l.show.begin("connecting")
	p := l.newConnect(phaseConnect, 0, len(l.conns), l.o.topics)
	err = l.run(ctx, p)
	var sumErr error
	if l.report.Connect, sumErr = p.summary(meter, err); sumErr != nil {
		return sumErr
	}
	if err = l.goOn(phaseConnect, err); err != nil {
		return err
	}
	if l.opened == 0 {
		return fmt.Errorf("nobody could connect: %w", p.why)
	}
	return l.idle(ctx, p.done)
}

func (l *loop) echoes(ctx context.Context, name string, p *echoPhase) (*Echo, error) {
	cost, err := l.metered(ctx, name, p, &p.answered)
	e := p.summary(err)
	e.Cost = cost
	return e, l.goOn(name, err)
}

// metered runs a phase with a number of operations and returns their cost. Then it waits a moment for
// messages that come twice or late.
func (l *loop) metered(ctx context.Context, name string, p phase, operations *int) (Cost, error) {
	l.show.begin(name)
	meter, err := l.meter()
	if err != nil {
		return Cost{}, err
	}
	err = l.run(ctx, p)
	cost, costErr := l.cost(meter, *operations)
	if err == nil {
		err = costErr
	}
	if err == nil {
		err = l.run(ctx, &lingerPhase{p, l.now + 50*time.Millisecond})
	}
	return cost, err
}

// lingerPhase waits for late messages of a phase that is over.
type lingerPhase struct {
	phase
	until time.Duration
}

func (p *lingerPhase) step(now time.Duration) (time.Duration, bool, error) {
	return p.until, now >= p.until, nil
}

// subscribe joins a topic that many share.
func (l *loop) subscribe(ctx context.Context, t, n int) error {
	meter, err := l.meter()
	if err != nil {
		return err
	}
	l.show.begin("subscribing")
	p := l.newJoin(t, n)
	err = l.run(ctx, p)
	cost, costErr := l.cost(meter, p.done)
	if costErr != nil {
		return costErr
	}
	if t == l.o.topics {
		l.report.Subscribe = &Connect{
			Complete: err == nil && p.done == n && p.dropped == 0, Wanted: n, Connected: p.done, Joins: p.done,
			Seconds: seconds(p.last - p.start), Latency: p.took.summary(), Cost: cost,
		}
	}
	return l.goOn("subscribe", err)
}

// casts runs a phase of broadcasts.
func (l *loop) casts(ctx context.Context, name string, p *broadcastPhase) (*Broadcast, error) {
	cost, err := l.metered(ctx, name, p, &p.delivered)
	b := p.summary(err)
	b.Cost = cost
	return b, l.goOn(name, err)
}

// subscribed joins the topic of the broadcasts, unless that was done before.
func (l *loop) subscribed(ctx context.Context) error {
	if l.report.Subscribe != nil {
		return nil
	}
	return l.subscribe(ctx, l.o.topics, l.o.subscribers)
}

func (l *loop) broadcast(ctx context.Context) (err error) {
	if err = l.subscribed(ctx); err != nil {
		return err
	}
	l.report.Broadcast, err = l.casts(ctx, phaseBroadcast, l.newBroadcast(kindOne, l.o.topics, l.o.subscribers, 0, l.o.broadcasts, 1, l.o.payload))
	return err
}

func (l *loop) ahead(ctx context.Context) (err error) {
	if err = l.subscribed(ctx); err != nil {
		return err
	}
	l.report.Ahead, err = l.casts(ctx, phaseAhead, l.newBroadcast(kindAhead, l.o.topics, l.o.subscribers, 0, l.o.aheadCasts, l.o.ahead, l.o.payload))
	return err
}

func (l *loop) slow(ctx context.Context) error {
	if err := l.subscribe(ctx, l.o.topics+1, l.o.slowSubs); err != nil {
		return err
	}
	from, err := l.server.memory()
	if err != nil {
		return err
	}
	p := l.newBroadcast(kindSlow, l.o.topics+1, l.o.slowSubs, l.o.slow, l.o.slowCasts, l.o.slowAhead, l.o.slowPayload)
	b, err := l.casts(ctx, phaseSlow, p)
	s := &Slow{Broadcast: *b, Readers: l.o.slow, MemoryFrom: from, MemoryPeak: max(p.peak, from), Closed: map[string]int{}}
	s.Grown = s.MemoryPeak - s.MemoryFrom
	l.report.Slow = s
	if err != nil {
		return err
	}
	// Only now, while reading, does the client see which connections the server has closed.
	for i := l.o.slowSubs - l.o.slow; i < l.o.slowSubs; i++ {
		if err := l.resume(i); err != nil {
			return err
		}
	}
	p.finishing = true
	err = l.run(ctx, p)
	if errors.Is(err, errStalled) {
		err = nil // they are open, and have not got all
	}
	for what, n := range p.slowClosed {
		s.Closed[what] += n
	}
	for i := l.o.slowSubs - l.o.slow; i < l.o.slowSubs; i++ {
		if c := &l.conns[i]; c.state == open && c.shared&l.sharedBit(p.topic) != 0 {
			s.Open++
			s.SlowGaps += p.sent - int(c.last)
		}
	}
	s.SlowGaps += p.slowGaps
	s.Complete = s.Complete && s.SlowGaps == 0
	return err
}

func (l *loop) reconnect(ctx context.Context) error {
	l.show.begin(phaseReconnect)
	meter, err := l.meter()
	if err != nil {
		return err
	}
	for i := range l.conns {
		l.drop(i)
	}
	p := l.newConnect(phaseReconnect, 0, len(l.conns), l.o.topics)
	err = l.run(ctx, p)
	var sumErr error
	if l.report.Reconnect, sumErr = p.summary(meter, err); sumErr != nil {
		return sumErr
	}
	return l.goOn(phaseReconnect, err)
}
