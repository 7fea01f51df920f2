package tracker

import (
	"fmt"
	"math/bits"
)

type kind byte

const (
	// heartbeat: for everybody, from each replica in its turn. One delta of
	// itself, and how far it knows the others.
	heartbeat kind = 1 + iota
	// request: how far its sender knows those replicas which it wants more of.
	request
	// answer: deltas for who asked.
	answer
	// goodbye: for everybody. Its sender is gone for good.
	goodbye
	// refusal: to a replica whose heartbeats are not taken, with the incarnation
	// that came after it.
	refusal
)

func (k kind) String() string {
	if k < heartbeat || k > refusal {
		return fmt.Sprintf("kind(%d)", byte(k))
	}
	return [...]string{"heartbeat", "request", "answer", "goodbye", "refusal"}[k-heartbeat]
}

// A Message is what replicas tell each other. It never changes, so any goroutine may
// encode it.
type Message struct {
	kind   kind
	from   Replica
	to     Replica // the zero one: everybody
	marks  []mark
	deltas []delta
	newest uint64
}

// From is the replica that made the message.
func (m *Message) From() Replica { return m.from }

// To is the replica that the message is for. When ok is false it is for all.
func (m *Message) To() (to Replica, ok bool) { return m.to, m.to != Replica{} }

// What the parts of a decoded message take in memory, beside their strings.
const (
	messageMemory = 256
	deltaMemory   = 192
	markMemory    = 64
	removalMemory = 16
	valueMemory   = 96
)

// memory is about what the message takes in memory, in bytes. Encoded is its length on its
// way: its strings take no more.
func (m *Message) memory(encoded int) int64 {
	size := messageMemory + encoded + len(m.marks)*markMemory
	for i := range m.deltas {
		d := &m.deltas[i]
		size += deltaMemory + len(d.removals)*removalMemory + len(d.values)*valueMemory
	}
	return int64(size)
}

// String says what the message is, for a log. It has names of nodes in it, and
// nothing that a client can choose.
func (m *Message) String() string {
	entries, removals := 0, 0
	for i := range m.deltas {
		entries += len(m.deltas[i].values)
		removals += len(m.deltas[i].removals)
	}
	text := fmt.Sprintf("%v from %q", m.kind, m.from.Name)
	if to, ok := m.To(); ok {
		text += fmt.Sprintf(" to %q", to.Name)
	}
	return fmt.Sprintf("%s: %d marks, %d entries, %d removals", text, len(m.marks), entries, removals)
}

// size is a bound on what the delta takes when it is encoded, less deltaSize.
func (d *delta) size() int {
	n := len(d.removals) * removalSize
	last := value{clock: d.lo}
	for i := range d.values {
		n += d.values[i].size(&last)
		last = d.values[i]
	}
	return n
}

// size is a bound on what a value takes behind another one when it is encoded.
func (v *value) size(last *value) int {
	n := uvarintLen(v.clock-last.clock) + uvarintLen(v.clock-v.prev) + uvarintLen(uint64(v.owner)) +
		4 + // the topic's place
		2 + 3 + len(v.data)
	if v.topic != last.topic || last.data == "" {
		n += 2 + len(v.topic)
	}
	return n
}

func uvarintLen(x uint64) int { return (bits.Len64(x|1) + 6) / 7 }
