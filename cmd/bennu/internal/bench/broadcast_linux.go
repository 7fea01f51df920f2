package bench

import (
	"fmt"
	"time"
)

// broadcastPhase makes a channel broadcast, with a number of broadcasts outstanding, and counts the
// deliveries to each subscriber. Connection 0 pushes; connections 0 to subscribers receive. The last
// of them may be slow, and not read: their deliveries are not waited for.
type broadcastPhase struct {
	quiet
	kind        kind
	topic       int
	size        int
	subscribers int // connections 0 to subscribers
	slow        int // of these, the last ones do not read
	total       int
	window      []casting // by number, modulo its length
	live        int       // subscribers that read and are connected

	sent, whole          int // broadcasts begun, and delivered to all
	expected, delivered  int
	disordered, gaps     int
	errors               int
	start, last          time.Duration
	took                 *latencies
	half, most, complete *latencies

	sampled    time.Duration
	peak       int64 // resident memory of the server
	slowClosed map[string]int
	slowGaps   int
	finishing  bool // the slow ones read again
}

// casting is one outstanding broadcast.
type casting struct {
	n        int // 0 is none; they count from 1
	at       time.Duration
	got      int
	expected int
	marks    [2]int // deliveries at which half and 99 % are reached
}

func (l *loop) newBroadcast(k kind, topic, subscribers, slow, total, ahead, size int) *broadcastPhase {
	l.tick()
	p := &broadcastPhase{
		quiet: quiet{l}, kind: k, topic: topic, size: size, subscribers: subscribers, slow: slow, total: total,
		window: make([]casting, ahead), start: l.now, last: l.now,
		took: newLatencies(), half: newLatencies(), most: newLatencies(), complete: newLatencies(),
	}
	for i := range subscribers {
		c := &l.conns[i]
		c.last, c.cast = 0, false
		if c.state != open || c.shared&l.sharedBit(topic) == 0 {
			continue // it was lost and is counted already
		}
		if i >= subscribers-slow {
			l.pause(i)
			continue
		}
		c.cast = true
		p.live++
	}
	return p
}

func (p *broadcastPhase) progress() string {
	name := map[kind]string{kindOne: phaseBroadcast, kindAhead: phaseAhead, kindSlow: phaseSlow}[p.kind]
	rate := 0.0
	if d := p.l.now - p.start; d > 0 {
		rate = float64(p.delivered) / d.Seconds()
	}
	return fmt.Sprintf("%s: %d of %d, %.0f deliveries a second, %d out of order", name, p.whole, p.total, rate, p.disordered)
}

func (p *broadcastPhase) step(now time.Duration) (time.Duration, bool, error) {
	if p.finishing {
		return p.finish(now)
	}
	if !p.l.conns[0].cast {
		return 0, false, errPublisher
	}
	// The window has the broadcasts that are not complete, and those after them.
	for p.sent < p.total {
		b := &p.window[p.sent%len(p.window)]
		if b.n != 0 {
			break
		}
		p.l.tick()
		p.sent++
		*b = casting{n: p.sent, at: p.l.now, expected: p.live, marks: [2]int{(p.live + 1) / 2, (p.live*99 + 99) / 100}}
		p.expected += p.live
		p.l.payload = p.l.castPayload.append(p.l.payload[:0], p.l.marker, p.kind, p.sent, p.size)
		p.l.ask(0, p.topic, p.kind, p.sent, p.l.castEvent, p.l.payload)
		if !p.l.conns[0].cast {
			return 0, false, errPublisher // it was lost just now
		}
	}
	if p.slow > 0 && now-p.sampled > 50*time.Millisecond {
		p.sampled = now
		rss, err := p.l.server.memory()
		if err != nil {
			return 0, false, err
		}
		p.peak = max(p.peak, rss)
	}
	if p.whole < p.total {
		return now + 50*time.Millisecond, false, nil
	}
	return now, true, nil
}

func (p *broadcastPhase) event(i int, k kind, n int) {
	c := &p.l.conns[i]
	if k != p.kind || n < 1 || n > p.sent || i >= p.subscribers {
		return // of an earlier phase, which has counted it as missing, or of another sender
	}
	slow := i >= p.subscribers-p.slow
	if n != int(c.last)+1 {
		switch {
		case n <= int(c.last):
			p.disordered++
			return
		case slow:
			p.slowGaps += n - int(c.last) - 1
		default:
			// Skipped numbers are missing. If they come later, they are out of order.
			p.gaps += n - int(c.last) - 1
			p.give(int(c.last)+1, n)
		}
	}
	c.last = uint32(n)
	p.l.useful()
	if slow || !c.cast {
		return
	}
	p.delivered++
	p.last = p.l.now
	b := p.at(n)
	if b == nil {
		return
	}
	d := p.l.now - b.at
	p.took.record(d)
	b.got++
	if b.got == b.marks[0] {
		p.half.record(d)
	}
	if b.got == b.marks[1] {
		p.most.record(d)
	}
	if b.got >= b.expected {
		p.complete.record(d)
		p.settle(b)
	}
}

// at returns the broadcast with a number if it is outstanding, or nil.
func (p *broadcastPhase) at(n int) *casting {
	if b := &p.window[(n-1)%len(p.window)]; b.n == n {
		return b
	}
	return nil
}

// settle removes a broadcast from the window.
func (p *broadcastPhase) settle(b *casting) {
	b.n = 0
	p.whole++
}

// give stops waiting for one delivery of each of the broadcasts from first to before
// end.
func (p *broadcastPhase) give(first, end int) {
	for n := max(first, p.sent-len(p.window)+1); n < end; n++ {
		if b := p.at(n); b != nil {
			if b.expected--; b.got >= b.expected {
				p.settle(b)
			}
		}
	}
}

func (p *broadcastPhase) reply(i int, k kind, n int, ok bool, _ []byte) {
	if k != p.kind || ok {
		return
	}
	p.errors++
	if b := p.at(n); b != nil && b.got == 0 {
		p.settle(b) // it will not be broadcast; that it is missing is counted
	}
}

func (p *broadcastPhase) ended(i int, m *message) { p.leave(i, &p.l.conns[i]) }

func (p *broadcastPhase) lost(i int, was *conn, why loss) {
	if i < p.subscribers && i >= p.subscribers-p.slow {
		note(&p.slowClosed, why.name())
		p.l.useful()
		return
	}
	p.l.fault(was, why)
	p.leave(i, was)
}

// leave stops waiting for deliveries to a subscriber.
func (p *broadcastPhase) leave(i int, was *conn) {
	if !was.cast {
		return
	}
	p.l.conns[i].cast = false
	p.live--
	p.give(int(was.last)+1, p.sent+1)
}

// finish lets the slow subscribers read again, until each has all broadcasts or is closed.
func (p *broadcastPhase) finish(now time.Duration) (time.Duration, bool, error) {
	for i := p.subscribers - p.slow; i < p.subscribers; i++ {
		if c := &p.l.conns[i]; c.state == open && c.shared&p.l.sharedBit(p.topic) != 0 && int(c.last) < p.sent {
			return now + 50*time.Millisecond, false, nil
		}
	}
	return now, true, nil
}

// summary returns the report of the phase, which has ended with err.
func (p *broadcastPhase) summary(err error) *Broadcast {
	took := p.last - p.start
	b := &Broadcast{
		Subscribers: p.subscribers - p.slow, Ahead: len(p.window), Sent: p.sent, Expected: p.sent * (p.subscribers - p.slow),
		Delivered: p.delivered, Disordered: p.disordered, Errors: p.errors, Seconds: seconds(took),
		Latency: p.took.summary(), Half: p.half.summary(), Most: p.most.summary(), Last: p.complete.summary(),
	}
	b.Missing = b.Expected - b.Delivered
	if took > 0 {
		b.PerSecond = float64(p.delivered) / took.Seconds()
	}
	b.Complete = err == nil && p.sent == p.total && b.Missing == 0 && p.disordered == 0 && p.errors == 0
	return b
}
