package tracker

// A delta is a part of one replica's line. It lists the entries that were made after lo and up to
// hi and still existed at asOf, and the removals after base and up to asOf. A receiver that knows all
// entries up to lo and all removals up to base can merge it; it then knows all entries up to hi and all
// removals up to asOf.
//
// A delta is whole if hi equals asOf. A full state, for receivers that know too few removals, begins
// at lo = 0 with base = asOf, and may come in parts. Each later part begins where the one before has
// ended, and has the removals since then.
type delta struct {
	replica    replica
	lo, hi     uint64
	base, asOf uint64
	end        uint64 // clock up to which the sender knows the replica; above hi, more can be asked for
	removals   []removal
	values     []value
}

// A value is an encoded or received entry.
type value struct {
	clock, prev uint64
	owner       Owner
	topic       string
	data        string
	keyLen      uint32
}

// Bounds on the encoded size of the parts of a delta, in bytes, without their strings.
const (
	deltaSize   = maxName + 100
	removalSize = 20
)

// value returns the entry as a part of a delta.
func (e *Entry) value() value {
	return value{e.clock, e.prev, e.owner, e.topic.name, e.data, e.keyLen}
}

// cut returns the delta for a receiver that knows entries up to clock and removals up to asOf, as far as
// it fits into room bytes. If there is any change, it has at least one.
func (l *line) cut(clock, asOf uint64, room int, broken defect) delta {
	d := delta{replica: l.id, lo: clock, base: asOf, hi: l.clock, asOf: l.clock, end: l.clock}
	room = max(room, 0)
	removals := l.removedAfter(asOf)
	whole := clock == asOf
	if l.start > asOf && broken != historyWithoutStart || !whole && len(removals)*removalSize > room/2 {
		d.lo, d.base, removals, whole = 0, l.clock, nil, false
	}
	if !whole {
		// All removals are in every part of a full state, so that each part brings the
		// entries of the parts before up to date.
		d.removals, removals = removals, nil
		room -= len(d.removals) * removalSize
	}
	slots := l.slots[l.after(d.lo):]
	taken := 0 // of removals
	last := value{clock: d.lo}
	for first := true; ; first = false {
		for len(slots) > 0 && slots[0].entry == nil {
			slots = slots[1:]
		}
		// The next change: a removal, an entry, or both halves of an update, which have the
		// same number. A whole delta ends between changes, never within an update.
		var at uint64
		var next value
		size := 0
		if taken < len(removals) {
			at, size = removals[taken].dot, removalSize
		}
		if len(slots) > 0 {
			switch c := slots[0].clock; {
			case at == 0 || c < at:
				at, size = c, 0
				fallthrough
			case c == at:
				next = slots[0].entry.value()
				size += next.size(&last)
			}
		}
		if at == 0 {
			break
		}
		if room -= size; room < 0 && !first {
			d.hi = at - 1
			if whole {
				d.asOf = d.hi
			}
			break
		}
		if taken < len(removals) && removals[taken].dot == at {
			taken++
		}
		if len(slots) > 0 && slots[0].clock == at {
			d.values = append(d.values, next)
			last, slots = next, slots[1:]
		}
	}
	if whole {
		d.removals = removals[:taken:taken]
	}
	return d
}

// A verdict is the result of a merge.
type verdict int

const (
	merged  verdict = iota
	stale           // nothing new in it
	gap             // changes before it are missing
	tooMany         // more entries than Options.Entries
)

// merge applies a delta to the line of a peer, and adds the changes to diff. A delta that comes twice, too
// late, or before one that is missing changes nothing.
func (s *state) merge(p *peer, d *delta, diff *Diff) verdict {
	l := &p.line
	// If the removals between asOf and base are unknown, the delta is a full state.
	restart := d.base > l.asOf
	switch {
	case d.asOf < l.asOf, d.asOf == l.asOf && d.hi <= l.clock:
		return stale
	case (d.lo > l.clock || d.lo > 0 && restart) && s.defect != gapsAccepted:
		return gap
	case !restart && d.hi < l.clock:
		return stale
	case l.live+len(d.values) > s.opts.Entries:
		return tooMany
	}
	for _, r := range d.removals {
		if i := l.at(r.tag); i >= 0 {
			s.discard(p, i, diff)
		}
		if !restart && r.dot > l.asOf {
			l.record(r)
		}
	}
	if restart {
		l.removals, l.start = nil, d.asOf
	}
	// Entries between lo and hi that the delta does not list have been removed.
	i := l.after(d.lo)
	for k := range d.values {
		v := &d.values[k]
		for ; i < len(l.slots) && l.slots[i].clock < v.clock; i++ {
			s.discard(p, i, diff)
		}
		if v.clock > l.top {
			s.adopt(p, v, diff)
		}
		if i < len(l.slots) && l.slots[i].clock == v.clock {
			i++
		}
	}
	for ; i < len(l.slots) && l.slots[i].clock <= d.hi; i++ {
		if s.defect != unlistedKept {
			s.discard(p, i, diff)
		}
	}
	l.clock, l.asOf = d.hi, d.asOf
	if s.defect == partTakenForAll {
		l.clock = d.asOf
	}
	l.top = max(l.top, l.clock)
	l.compact()
	l.trim(s.opts.History, l.asOf)
	return merged
}

// adopt adds an entry of another replica.
func (s *state) adopt(p *peer, v *value, diff *Diff) {
	e := &Entry{
		data:   v.data,
		topic:  s.intern(v.topic),
		origin: p.origin,
		owner:  v.owner,
		clock:  v.clock,
		prev:   v.prev,
		keyLen: v.keyLen,
	}
	p.push(e)
	if p.up {
		s.show(e, diff)
	}
}

// discard removes the entry of another replica in a slot, if there is one.
func (s *state) discard(p *peer, i int, diff *Diff) {
	e := p.take(i)
	if e == nil {
		return
	}
	if p.up {
		s.hide(e, diff)
	}
	s.forget(e.topic)
}
