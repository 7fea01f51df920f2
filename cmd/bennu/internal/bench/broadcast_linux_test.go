package bench

import (
	"testing"
	"time"
)

func newCasts(t *testing.T, subscribers, slow, total, ahead int) *broadcastPhase {
	l := newIdleLoop(newOptions(t, "--connections", "4"))
	for i := range l.conns {
		l.conns[i].shared = l.sharedBit(l.o.topics)
	}
	p := l.newBroadcast(kindOne, l.o.topics, subscribers, slow, total, ahead, 100)
	l.now, p.start = 0, 0
	return p
}

func (p *broadcastPhase) must(t *testing.T, done bool) {
	t.Helper()
	if _, got, err := p.step(p.l.now); err != nil || got != done {
		t.Fatalf("done %v, %v; want %v", got, err, done)
	}
}

func TestBroadcastLatencies(t *testing.T) {
	p := newCasts(t, 4, 0, 2, 1)
	p.must(t, false)
	if p.sent != 1 {
		t.Fatalf("%d are on their way, one at a time", p.sent)
	}
	began := p.window[0].at
	for i := range 4 {
		p.l.now = began + time.Duration(i+1)*time.Second
		p.event(i, kindOne, 1)
	}
	if p.half.summary().Max/1e6 != 2 || p.most.summary().Max/1e6 != 4 || p.complete.summary().Max/1e6 != 4 || p.delivered != 4 {
		t.Errorf("half %+v, most %+v, last %+v", p.half.summary(), p.most.summary(), p.complete.summary())
	}
	p.must(t, false)
	if p.sent != 2 {
		t.Errorf("%d were sent", p.sent)
	}
}

// Deliveries that are missing, late or doubled are counted, and nothing waits for them.
func TestBroadcastFaults(t *testing.T) {
	p := newCasts(t, 2, 0, 4, 4)
	p.must(t, false)
	for _, got := range []struct{ subscriber, n int }{
		{0, 1}, {0, 2}, {0, 3}, {0, 4},
		{1, 1}, {1, 3}, {1, 2}, {1, 3}, {1, 4}, // without 2, which comes late, and 3 twice
		{1, 5}, {1, 0}, // never sent
	} {
		p.event(got.subscriber, kindOne, got.n)
	}
	p.event(0, kindAhead, 1) // of another phase
	p.must(t, true)
	b := p.summary(nil)
	if b.Expected != 8 || b.Delivered != 7 || b.Missing != 1 || b.Disordered != 2 || b.Complete {
		t.Errorf("got %+v", b)
	}
}

// Nothing waits for a subscriber that is lost. Its deliveries count as missing.
func TestBroadcastLosesASubscriber(t *testing.T) {
	p := newCasts(t, 3, 0, 4, 2)
	p.must(t, false)
	p.event(0, kindOne, 1)
	p.event(1, kindOne, 1)
	p.event(2, kindOne, 1)
	was := p.l.conns[1]
	p.l.release(1)
	p.lost(1, &was, loss{code: 1011})
	for n := 2; n <= 4; n++ {
		p.must(t, false)
		p.event(0, kindOne, n)
		p.event(2, kindOne, n)
	}
	p.must(t, true)
	b := p.summary(nil)
	if b.Missing != 3 || b.Complete || p.l.report.Faults.Closed["1011"] != 1 {
		t.Errorf("got %+v, faults %+v", b, p.l.report.Faults)
	}
	was = p.l.conns[0]
	p.l.release(0)
	p.lost(0, &was, loss{code: 1011})
	p.total++
	if _, _, err := p.step(0); err != errPublisher {
		t.Errorf("without the one who pushes: %v", err)
	}
}

// Nothing waits for a push that was refused.
func TestBroadcastRefused(t *testing.T) {
	p := newCasts(t, 2, 0, 1, 1)
	p.must(t, false)
	p.reply(0, kindOne, 1, false, nil)
	p.must(t, true)
	if b := p.summary(nil); b.Complete || b.Errors != 1 || b.Missing != 2 {
		t.Errorf("got %+v", b)
	}
}
