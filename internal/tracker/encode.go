package tracker

import "encoding/binary"

// version is the first byte of every message. Messages of another version are refused.
const version = 1

// append appends the encoded message, at most Options.MessageBytes.
func (m *message) append(b []byte) []byte {
	b = append(b, version, byte(m.kind))
	b = appendReplica(b, m.from)
	switch m.kind {
	case heartbeat:
		b = appendMarks(b, m.marks, false)
		for i := range m.deltas {
			b = m.deltas[i].append(b)
		}
	case request:
		b = appendReplica(b, m.to)
		b = appendMarks(b, m.marks, true)
	case answer:
		b = appendReplica(b, m.to)
		b = binary.AppendUvarint(b, uint64(len(m.deltas)))
		for i := range m.deltas {
			b = appendReplica(b, m.deltas[i].replica)
			b = m.deltas[i].append(b)
		}
	case refusal:
		b = appendReplica(b, m.to)
		b = binary.AppendUvarint(b, m.newest)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendReplica(b []byte, r replica) []byte {
	b = appendString(b, r.name)
	return binary.AppendUvarint(b, r.incarnation)
}

func appendMarks(b []byte, marks []mark, asOf bool) []byte {
	b = binary.AppendUvarint(b, uint64(len(marks)))
	for _, m := range marks {
		b = appendReplica(b, m.replica)
		b = binary.AppendUvarint(b, m.clock)
		if asOf {
			b = binary.AppendUvarint(b, m.asOf-m.clock)
		}
	}
	return b
}

// append appends the encoded delta without its replica. Numbers are written as the distance
// from a known one, which takes a byte or two for most of them.
func (d *delta) append(b []byte) []byte {
	b = binary.AppendUvarint(b, d.lo)
	b = binary.AppendUvarint(b, d.hi-d.lo)
	b = binary.AppendUvarint(b, d.asOf-d.hi)
	b = binary.AppendUvarint(b, d.asOf-d.base)
	b = binary.AppendUvarint(b, d.end-d.asOf)

	b = binary.AppendUvarint(b, uint64(len(d.removals)))
	last := d.base
	for _, r := range d.removals {
		b = binary.AppendUvarint(b, r.dot-last)
		b = binary.AppendUvarint(b, r.dot-r.tag)
		last = r.dot
	}

	b = binary.AppendUvarint(b, uint64(len(d.values)))
	last = d.lo
	topics := map[string]uint64{}
	for i := range d.values {
		v := &d.values[i]
		b = binary.AppendUvarint(b, v.clock-last)
		last = v.clock
		if v.prev == 0 {
			b = append(b, 0)
		} else {
			b = binary.AppendUvarint(b, v.clock-v.prev)
		}
		b = binary.AppendUvarint(b, uint64(v.owner))
		// A topic is written once; later entries refer to it by its position.
		n, seen := topics[v.topic]
		if seen {
			b = binary.AppendUvarint(b, n)
		} else {
			topics[v.topic] = uint64(len(topics)) + 1
			b = append(b, 0)
			b = appendString(b, v.topic)
		}
		b = binary.AppendUvarint(b, uint64(v.keyLen))
		b = appendString(b, v.data)
	}
	return b
}
