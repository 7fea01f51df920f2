package tracker

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The least encoded sizes of the parts of a message, in bytes. A count of more parts than
// could follow is refused before memory is allocated for them.
const (
	leastMark    = 4
	leastDelta   = 10
	leastRemoval = 2
	leastValue   = 6
)

// decode reads a message. It checks every length and number before it allocates memory for
// it, and keeps no part of data.
func decode(data []byte) (*message, error) {
	if len(data) > maxMessage {
		return nil, fmt.Errorf("%w: %d bytes, over %d", errMalformed, len(data), maxMessage)
	}
	d := decoder{rest: data}
	m := d.message()
	if d.err == nil && len(d.rest) > 0 {
		d.fail("%d bytes follow its end", len(d.rest))
	}
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

// A decoder reads from the front of rest. After an error it returns zeros, so callers check the
// error only where memory or time depends on a value.
type decoder struct {
	rest []byte
	err  error // the first
}

// fail sets the error, if it is the first, and ends the reading.
func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{errMalformed}, args...)...)
	}
	d.rest = nil
}

// message reads the form that message.append writes.
func (d *decoder) message() *message {
	if v := d.byte(); v != version {
		d.fail("version %d, want %d", v, version)
	}
	m := &message{kind: kind(d.byte())}
	m.from = d.replica()
	switch m.kind {
	case heartbeat:
		m.marks = d.marks(maxReplicas, false)
		m.deltas = []delta{d.delta(m.from)}
	case request:
		m.to = d.replica()
		m.marks = d.marks(maxWants, true)
	case answer:
		m.to = d.replica()
		n := d.count("deltas", maxWants, leastDelta)
		if n > 0 {
			m.deltas = make([]delta, 0, n)
		}
		for i := 0; i < n && d.err == nil; i++ {
			of := d.replica()
			// In strict order, so that no replica is there twice.
			if i > 0 && of.name <= m.deltas[i-1].replica.name {
				d.fail("delta %d is out of order", i)
			}
			m.deltas = append(m.deltas, d.delta(of))
		}
	case goodbye:
	case refusal:
		m.to = d.replica()
		m.newest = d.uvarint()
	default:
		d.fail("%v", m.kind)
	}
	return m
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("it ends too early")
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("a number is missing or too long")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// over reads the distance from a number to a higher one, and returns that.
func (d *decoder) over(from uint64) uint64 {
	n := d.uvarint()
	if n > math.MaxUint64-from {
		d.fail("a number is too high")
		return from
	}
	return from + n
}

// under reads the distance from a number to a lower one, and returns that.
func (d *decoder) under(from uint64) uint64 {
	n := d.uvarint()
	if n > from {
		d.fail("a number is below zero")
		return from
	}
	return from - n
}

// count reads the number of parts that follow: at most limit, and at most as many as the
// remaining bytes can hold.
func (d *decoder) count(what string, limit, least int) int {
	n := d.uvarint()
	if n > uint64(limit) || n > uint64(len(d.rest)/least) {
		d.fail("%d %s in %d bytes, %d allowed", n, what, len(d.rest), limit)
		return 0
	}
	return int(n)
}

// string reads a length of at most limit, and as many bytes, which it copies.
func (d *decoder) string(what string, limit int) string {
	n := d.uvarint()
	if n > uint64(limit) || n > uint64(len(d.rest)) {
		d.fail("a %s of %d bytes in %d, %d allowed", what, n, len(d.rest), limit)
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) replica() replica {
	r := replica{name: d.string("name", maxName)}
	r.incarnation = d.uvarint()
	if d.err == nil && (r.name == "" || r.incarnation == 0) {
		d.fail("a replica without name or incarnation")
	}
	return r
}

// marks reads at most limit marks, which have an asOf if asOf is true.
func (d *decoder) marks(limit int, asOf bool) []mark {
	n := d.count("marks", limit, leastMark)
	var marks []mark
	for i := 0; i < n && d.err == nil; i++ {
		m := mark{replica: d.replica()}
		m.clock = d.uvarint()
		if asOf {
			m.asOf = d.over(m.clock)
		}
		marks = append(marks, m)
	}
	return marks
}

// delta reads a delta without its replica. It checks that all numbers are in order, as merge expects.
func (d *decoder) delta(of replica) delta {
	x := delta{replica: of}
	x.lo = d.uvarint()
	x.hi = d.over(x.lo)
	x.asOf = d.over(x.hi)
	x.base = d.under(x.asOf)
	x.end = d.over(x.asOf)

	n := d.count("removals", maxMessage, leastRemoval)
	if n > 0 {
		x.removals = make([]removal, 0, n)
	}
	last := x.base
	for i := 0; i < n && d.err == nil; i++ {
		r := removal{dot: d.over(last)}
		r.tag = d.under(r.dot)
		if r.dot == last || r.dot > x.asOf || r.tag == 0 || r.tag == r.dot {
			d.fail("removal %d of %d is out of order", r.dot, r.tag)
		}
		last = r.dot
		x.removals = append(x.removals, r)
	}

	n = d.count("entries", maxMessage, leastValue)
	if n > 0 {
		x.values = make([]value, 0, n)
	}
	last = x.lo
	var topics []string
	for i := 0; i < n && d.err == nil; i++ {
		v := value{clock: d.over(last)}
		if v.prev = d.under(v.clock); v.prev == v.clock {
			v.prev = 0
		}
		if v.clock == last || v.clock > x.hi {
			d.fail("entry %d is out of order", v.clock)
		}
		last = v.clock
		v.owner = Owner(d.uvarint())
		switch t := d.uvarint(); {
		case t == 0:
			v.topic = d.string("topic", maxTopic)
			topics = append(topics, v.topic)
		case t <= uint64(len(topics)):
			v.topic = topics[t-1]
		default:
			d.fail("topic %d of %d", t, len(topics))
		}
		keyLen := d.uvarint()
		if keyLen > maxKey {
			d.fail("a key of %d bytes, %d allowed", keyLen, maxKey)
		}
		v.keyLen = uint32(keyLen)
		v.data = d.string("meta", int(keyLen)+MaxMeta)
		if len(v.data) < int(v.keyLen) {
			d.fail("a key of %d bytes in %d", keyLen, len(v.data))
		}
		x.values = append(x.values, v)
	}
	return x
}
