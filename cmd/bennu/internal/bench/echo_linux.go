package bench

import (
	"fmt"
	"time"
)

// echoPhase pushes events with replies. With a pace it sends each at its time, even if earlier ones are
// not answered. Without a pace each sender sends when one of its echoes is answered.
type echoPhase struct {
	quiet
	kind    kind
	senders int // connections 0 to senders
	pace    *pacer
	slots   []slot // of a closed loop: those of one sender stand together
	each    int    // slots of a sender
	until   time.Duration
	waiting []uint64 // with a pace: a bit for each echo that is not answered
	start   time.Duration
	last    time.Duration

	begun                        bool
	sent, answered, errors, gone int
	took, late                   *latencies
}

// slot is one outstanding echo of a closed loop.
type slot struct {
	turn int
	at   time.Duration
	busy bool
}

// newEcho makes a phase of echoes at a rate.
func (l *loop) newEcho() *echoPhase {
	l.tick()
	total := max(int(l.o.echoRate*l.o.echoTime.Seconds()), 1)
	return &echoPhase{
		quiet: quiet{l}, kind: kindEcho, senders: len(l.conns), start: l.now, last: l.now, took: newLatencies(), late: newLatencies(),
		pace: &pacer{start: l.now, rate: l.o.echoRate, total: total}, waiting: make([]uint64, total/64+1),
	}
}

// newLoad makes a phase of a closed loop.
func (l *loop) newLoad() *echoPhase {
	l.tick()
	o := l.o
	return &echoPhase{
		quiet: quiet{l}, kind: kindLoad, senders: o.loadConns, start: l.now, last: l.now, took: newLatencies(),
		slots: make([]slot, o.loadConns*o.outstanding), each: o.outstanding, until: l.now + o.loadTime,
	}
}

func (p *echoPhase) progress() string {
	name := phaseEcho
	if p.pace == nil {
		name = phaseLoad
	}
	rate := 0.0
	if d := p.l.now - p.start; d > 0 {
		rate = float64(p.answered) / d.Seconds()
	}
	return fmt.Sprintf("%s: %d back, %.0f a second, %d errors, %d lost", name, p.answered, rate, p.errors, p.gone)
}

func (p *echoPhase) back() int { return p.answered + p.errors + p.gone }

func (p *echoPhase) step(now time.Duration) (time.Duration, bool, error) {
	if p.l.opened == 0 {
		return 0, false, errNobody
	}
	if p.pace == nil {
		if !p.begun {
			p.begun = true
			for s := range p.slots {
				p.sendSlot(s)
			}
		}
		return now + time.Second, p.back() == p.sent && (now >= p.until || p.live() == 0), nil
	}
	for due := p.pace.due(now); p.sent < due; {
		n := p.sent
		p.sent++
		p.waiting[n/64] |= 1 << (n % 64)
		i, ok := p.sender(n)
		if !ok {
			p.waiting[n/64] &^= 1 << (n % 64)
			p.gone++
			continue
		}
		p.late.record(now - p.pace.intended(n))
		p.l.echo(i, p.kind, n)
	}
	if p.sent < p.pace.total {
		p.l.useful()
		return p.pace.intended(p.sent), false, nil
	}
	return now + time.Second, p.back() == p.sent, nil
}

// sender returns the connection that sends echo n: the one whose turn it is, or the next open one.
func (p *echoPhase) sender(n int) (int, bool) {
	for k := range p.senders {
		i := (n + k) % p.senders
		if c := &p.l.conns[i]; c.state == open && !c.paused {
			return i, true
		}
	}
	return 0, false
}

func (p *echoPhase) live() (n int) {
	for i := range p.senders {
		if p.l.conns[i].state == open {
			n++
		}
	}
	return n
}

func (p *echoPhase) sendSlot(s int) {
	i := s / p.each
	if p.l.conns[i].state != open {
		return
	}
	p.l.tick()
	x := &p.slots[s]
	x.turn, x.at, x.busy = x.turn+1, p.l.now, true
	p.sent++
	p.l.echo(i, p.kind, x.turn*len(p.slots)+s)
}

// echo pushes echo n.
func (l *loop) echo(i int, k kind, n int) {
	l.payload = l.echoPayload.append(l.payload[:0], l.marker, k, n, l.o.payload)
	l.ask(i, 0, k, n, l.echoEvent, l.payload)
}

func (p *echoPhase) reply(i int, k kind, n int, ok bool, response []byte) {
	if k != p.kind {
		return
	}
	at := time.Duration(0)
	if p.pace != nil {
		if n >= p.sent || p.waiting[n/64]&(1<<(n%64)) == 0 {
			note(&p.l.report.Faults.Malformed, "a second reply to one echo")
			return
		}
		p.waiting[n/64] &^= 1 << (n % 64)
		at = p.pace.intended(n)
	} else {
		s := &p.slots[n%len(p.slots)]
		if !s.busy || s.turn != n/len(p.slots) {
			note(&p.l.report.Faults.Malformed, "a second reply to one echo")
			return
		}
		s.busy = false
		at = s.at
	}
	p.l.useful()
	if ok && p.l.o.app.echoReturns {
		if of, m, found := p.l.marker.find(response); !found || of != k || m != n {
			note(&p.l.report.Faults.Errors, "an echo of something else")
			ok = false
		}
	}
	if ok {
		p.answered++
		p.last = p.l.now
		p.took.record(p.l.now - at)
	} else {
		p.errors++
	}
	if p.pace == nil && p.l.now < p.until {
		p.sendSlot(n % len(p.slots))
	}
}

// lost gives up the outstanding echoes of a connection in a closed loop. At a rate they are waited for,
// and then counted as lost.
func (p *echoPhase) lost(i int, was *conn, why loss) {
	p.l.fault(was, why)
	for s := i * p.each; s < min((i+1)*p.each, len(p.slots)); s++ {
		if p.slots[s].busy {
			p.slots[s].busy = false
			p.gone++
		}
	}
}

// summary returns the report of the phase, which has ended with err.
func (p *echoPhase) summary(err error) *Echo {
	took := p.last - p.start
	e := &Echo{
		Sent: p.sent, Answered: p.answered, Errors: p.errors, Lost: p.sent - p.answered - p.errors,
		Seconds: seconds(took), Latency: p.took.summary(), Senders: p.senders, InProgress: p.each,
	}
	if took > 0 {
		e.PerSecond = float64(p.answered) / took.Seconds()
	}
	e.Complete = err == nil && e.Answered == e.Sent
	if p.pace != nil {
		e.Rate, e.Lateness = p.pace.rate, p.late.summary()
		e.Complete = e.Complete && p.sent == p.pace.total
	}
	return e
}
