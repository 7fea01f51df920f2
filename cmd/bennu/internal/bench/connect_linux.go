package bench

import (
	"fmt"
	"time"
)

// retries are the pauses between the attempts of one connection, as in phoenix.js.
var retries = []time.Duration{10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000}

func retryAfter(tries int) time.Duration {
	return retries[min(max(tries-1, 0), len(retries)-1)] * time.Millisecond
}

// connectPhase makes connections and joins their topics.
type connectPhase struct {
	quiet
	name    string
	first   int // connections first to first+wanted
	wanted  int
	topics  int
	pace    *pacer // nil is at once
	next    int    // connections begun
	under   int    // connections between their first packet and their last join
	done    int
	givenUp int
	refused int
	joins   int
	last    time.Duration // when the last one was done
	start   time.Duration
	took    *latencies
	again   []retry
	looked  time.Duration
	dropped int   // lost after they were done
	once    bool  // try once only
	why     error // of the last try that failed
}

type retry struct {
	conn int
	at   time.Duration
}

func (l *loop) newConnect(name string, first, wanted, topics int) *connectPhase {
	l.tick()
	p := &connectPhase{quiet: quiet{l}, name: name, first: first, wanted: wanted, topics: topics, start: l.now, last: l.now, took: newLatencies()}
	if l.o.connectRate > 0 {
		p.pace = &pacer{start: l.now, rate: l.o.connectRate, total: wanted}
	}
	return p
}

func (p *connectPhase) progress() string {
	return fmt.Sprintf("%s: %d of %d joined, %d tries refused", p.name, p.done, p.wanted, p.refused)
}

func (p *connectPhase) step(now time.Duration) (time.Duration, bool, error) {
	next := now + time.Second
	if len(p.again) > 0 {
		// All connections are looked at, so not too often.
		if now-p.looked >= 5*time.Millisecond {
			p.looked = now
			if err := p.retry(now); err != nil {
				return 0, false, err
			}
		}
		next = now + 5*time.Millisecond
	}
	allowed := p.wanted
	if p.pace != nil {
		allowed = p.pace.due(now)
		if allowed < p.wanted {
			next = min(next, p.pace.intended(allowed))
			p.l.useful() // this wait is not a stall
		}
	}
	for p.next < allowed && p.under < p.l.o.atOnce {
		i := p.first + p.next
		c := &p.l.conns[i]
		// Connecting many takes time, so the clock is read again.
		p.l.tick()
		c.begun, c.tries = p.l.now, 0
		if p.pace != nil {
			c.begun = p.pace.intended(p.next)
		}
		p.next++
		p.under++
		if err := p.dial(i); err != nil {
			return 0, false, err
		}
	}
	return next, p.done+p.givenUp == p.wanted, nil
}

func (p *connectPhase) dial(i int) error {
	p.l.conns[i].tries++
	return p.l.dial(i)
}

func (p *connectPhase) retry(now time.Duration) error {
	left := p.again[:0]
	var due []int
	for _, r := range p.again {
		switch {
		case r.at > now:
			p.l.useful() // this wait is not a stall
			left = append(left, r)
		case p.under >= p.l.o.atOnce:
			left = append(left, r)
		default:
			p.under++
			due = append(due, r.conn)
		}
	}
	p.again = left
	for _, i := range due {
		if err := p.dial(i); err != nil {
			return err
		}
	}
	return nil
}

func (p *connectPhase) opened(i int) {
	for t := range p.topics {
		p.l.join(i, t)
	}
}

func (p *connectPhase) reply(i int, k kind, _ int, ok bool, response []byte) {
	if k != kindJoin {
		return
	}
	c := &p.l.conns[i]
	if !ok {
		reason := reasonOf(response)
		was := *c
		p.l.leave(i)
		p.failed(i, &was, fmt.Errorf("a join was refused: %s", reason), reason == "busy")
		return
	}
	p.l.useful()
	p.joins++
	if c.joined++; int(c.joined) == p.topics {
		p.under--
		p.done++
		p.last = p.l.now
		p.took.record(p.l.now - c.begun)
	}
}

// ended gives up a connection whose channel has ended while others are still joined.
func (p *connectPhase) ended(i int, m *message) {
	p.why = fmt.Errorf("the server ended a channel with %s", printable(m.event))
}

func (p *connectPhase) lost(i int, was *conn, why loss) {
	if was.state == open && int(was.joined) == p.topics {
		p.l.fault(was, why)
		p.dropped++
		return
	}
	note(&p.l.report.Faults.Refused, why.name())
	p.failed(i, was, why.explain(), why.temporary())
}

// failed schedules another attempt, or gives up.
func (p *connectPhase) failed(i int, was *conn, why error, again bool) {
	p.under--
	p.refused++
	p.joins -= int(was.joined)
	p.why = why
	if !again || p.once || int(was.tries) >= p.l.o.tries {
		p.givenUp++
		p.l.report.Faults.GivenUp++
		return
	}
	p.again = append(p.again, retry{i, p.l.now + retryAfter(int(was.tries))})
}

// summary returns the report of the phase, which has ended with err.
func (p *connectPhase) summary(m *cpuMeter, err error) (*Connect, error) {
	c := &Connect{
		Complete: err == nil && p.done == p.wanted && p.dropped == 0, Wanted: p.wanted, Connected: p.done, Joins: p.joins,
		Refused: p.refused, Seconds: seconds(p.last - p.start), Latency: p.took.summary(),
	}
	var costErr error
	c.Cost, costErr = p.l.cost(m, p.joins)
	return c, costErr
}
