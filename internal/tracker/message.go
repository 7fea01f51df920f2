package tracker

import (
	"fmt"
	"math/bits"
)

// A kind is the kind of a message, with its number on the wire.
type kind byte

const (
	// A heartbeat is broadcast. It has one delta of its sender, and marks of the other replicas
	// that the sender knows.
	heartbeat kind = 1 + iota
	// A request goes to one replica. It has marks of the replicas whose changes the sender
	// misses.
	request
	// An answer has the deltas that a request asked for.
	answer
	// A goodbye is broadcast. Its sender has ended and does not come back.
	goodbye
	// A refusal goes to a replica that was superseded. It has the highest known incarnation
	// of its name.
	refusal
)

// String returns the name of the kind.
func (k kind) String() string {
	if k < heartbeat || k > refusal {
		return fmt.Sprintf("kind(%d)", byte(k))
	}
	return [...]string{"heartbeat", "request", "answer", "goodbye", "refusal"}[k-heartbeat]
}

// A message is sent from one replica to another, or to all. It never changes, so any
// goroutine may encode it.
type message struct {
	kind   kind
	from   replica
	to     replica // zero if the message is for all
	marks  []mark  // of a heartbeat or request
	deltas []delta // of a heartbeat or answer
	newest uint64  // incarnation, of a refusal
}

// addressee returns the replica that the message is for. If ok is false, it is for all.
func (m *message) addressee() (to replica, ok bool) { return m.to, m.to != replica{} }

// Sizes of the parts of a decoded message in memory, in bytes, without their strings.
const (
	messageMemory = 256
	deltaMemory   = 192
	markMemory    = 64
	removalMemory = 16
	valueMemory   = 96
)

// memory estimates the size of the message in memory, in bytes. The encoded length bounds
// its strings.
func (m *message) memory(encoded int) int64 {
	size := messageMemory + encoded + len(m.marks)*markMemory
	for i := range m.deltas {
		d := &m.deltas[i]
		size += deltaMemory + len(d.removals)*removalMemory + len(d.values)*valueMemory
	}
	return int64(size)
}

// String describes the message for logs and tests. It has names of nodes, but no text that clients
// choose.
func (m *message) String() string {
	entries, removals := 0, 0
	for i := range m.deltas {
		entries += len(m.deltas[i].values)
		removals += len(m.deltas[i].removals)
	}
	text := fmt.Sprintf("%v from %q", m.kind, m.from.name)
	if to, ok := m.addressee(); ok {
		text += fmt.Sprintf(" to %q", to.name)
	}
	return fmt.Sprintf("%s: %d marks, %d entries, %d removals", text, len(m.marks), entries, removals)
}

// size returns an upper bound of the encoded size of the delta, without deltaSize.
func (d *delta) size() int {
	n := len(d.removals) * removalSize
	last := value{clock: d.lo}
	for i := range d.values {
		n += d.values[i].size(&last)
		last = d.values[i]
	}
	return n
}

// size returns an upper bound of the encoded size of a value that follows another one.
func (v *value) size(last *value) int {
	n := uvarintLen(v.clock-last.clock) + uvarintLen(v.clock-v.prev) + uvarintLen(uint64(v.owner)) +
		4 + // the position of the topic
		2 + 3 + len(v.data)
	if v.topic != last.topic || last.data == "" {
		n += 2 + len(v.topic)
	}
	return n
}

// uvarintLen returns the encoded size of a number.
func uvarintLen(x uint64) int { return (bits.Len64(x|1) + 6) / 7 }
