package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// join sends the join of a connection's topic with a number. The last two numbers are those of the
// shared topics.
func (l *loop) join(i, t int) {
	l.refs.join = appendRef(l.refs.join[:0], kindJoin, t)
	payload := l.o.app.joinPayload
	if t >= l.o.topics {
		payload = l.o.app.castJoin
	}
	l.push(i, l.refs.join, l.refs.join, l.topic(i, t), l.joinEvent, []byte(payload))
}

// topic returns the topic in quotes. It is valid until the next call.
func (l *loop) topic(i, t int) []byte {
	switch t {
	case l.o.topics:
		return l.castTopic
	case l.o.topics + 1:
		return l.slowTopic
	}
	out := l.refs.topic[:0]
	for text := l.topicJSON; ; {
		at := strings.IndexByte(text, '{')
		if at < 0 || len(text) < at+3 {
			l.refs.topic = append(out, text...)
			return l.refs.topic
		}
		out = append(out, text[:at]...)
		switch text[at : at+3] {
		case "{c}":
			out, text = strconv.AppendInt(out, int64(i), 10), text[at+3:]
		case "{t}":
			out, text = strconv.AppendInt(out, int64(t), 10), text[at+3:]
		default:
			out, text = append(out, '{'), text[at+1:]
		}
	}
}

// ask pushes an event to a connection's topic.
func (l *loop) ask(i, t int, k kind, n int, event, payload []byte) {
	l.refs.join = appendRef(l.refs.join[:0], kindJoin, t)
	l.refs.ref = appendRef(l.refs.ref[:0], k, n)
	l.push(i, l.refs.join, l.refs.ref, l.topic(i, t), event, payload)
}

// joinPhase joins one more topic on connections that are open.
type joinPhase struct {
	quiet
	t, wanted    int
	next, under  int
	done, failed int
	start, last  time.Duration
	dropped      int // lost after they had joined
	asked        []time.Duration
	answered     []bool
	took         *latencies
}

func (l *loop) newJoin(t, wanted int) *joinPhase {
	l.tick()
	return &joinPhase{quiet: quiet{l}, t: t, wanted: wanted, start: l.now, last: l.now, asked: make([]time.Duration, wanted), answered: make([]bool, wanted), took: newLatencies()}
}

func (p *joinPhase) progress() string {
	return fmt.Sprintf("subscribe: %d of %d joined", p.done, p.wanted)
}

func (p *joinPhase) step(now time.Duration) (time.Duration, bool, error) {
	for p.next < p.wanted && p.under < 256 {
		i := p.next
		p.next++
		if p.l.conns[i].state != open {
			p.failed++
			continue
		}
		p.under++
		p.l.tick()
		p.asked[i] = p.l.now
		p.l.join(i, p.t)
	}
	return now + time.Second, p.done+p.failed == p.wanted, nil
}

func (p *joinPhase) reply(i int, k kind, n int, ok bool, _ []byte) {
	if k != kindJoin || n != p.t {
		return
	}
	if p.answered[i] {
		return
	}
	p.answered[i] = true
	p.under--
	if !ok {
		p.failed++
		return
	}
	p.l.useful()
	p.done++
	p.last = p.l.now
	p.l.conns[i].shared |= p.l.sharedBit(p.t)
	p.took.record(p.l.now - p.asked[i])
}

func (p *joinPhase) lost(i int, was *conn, why loss) {
	p.l.fault(was, why)
	switch {
	case was.shared&p.l.sharedBit(p.t) != 0:
		p.dropped++
	case i < p.next && !p.answered[i]:
		p.under--
		p.failed++
	}
}

// sharedBit is the bit of conn.shared for a shared topic that is joined.
func (l *loop) sharedBit(t int) uint8 { return 1 << (t - l.o.topics) }
