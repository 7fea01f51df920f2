package tracker

// A delta is a stretch of one replica's line, for somebody who stands where it
// begins. It tells of the entries made after lo and up to hi, as they were at
// asOf, and of the removals after base and up to asOf. So whoever knows
// everything up to lo, with the removals up to base, knows everything up to hi
// after it, with the removals up to asOf.
//
// Whole: hi is asOf. A full state, for those whose base is too long ago, begins at
// lo = 0 with base = asOf, and may come in parts: its later ones begin where
// the one before ended, with the removals since.
type delta struct {
	replica    Replica
	lo, hi     uint64
	base, asOf uint64
	end        uint64 // what its sender knows of the replica in all: more to ask for
	removals   []removal
	values     []value
}

// A value is an entry on its way.
type value struct {
	clock, prev uint64
	owner       Owner
	topic       string
	data        string
	keyLen      uint32
}

// What a delta's parts take at most when they are encoded, beside their strings.
const (
	deltaSize   = MaxName + 100
	removalSize = 20
)

func (e *Entry) value() value {
	return value{e.clock, e.prev, e.owner, e.topic.name, e.data, e.keyLen}
}

// cut makes the delta for somebody who stands at clock and asOf, as far as it fits
// into room bytes. It always holds one change if there is one.
func (l *line) cut(clock, asOf uint64, room int, broken defect) delta {
	d := delta{replica: l.id, lo: clock, base: asOf, hi: l.clock, asOf: l.clock, end: l.clock}
	room = max(room, 0)
	removals := l.removedAfter(asOf)
	whole := clock == asOf
	if l.start > asOf && broken != historyWithoutStart || !whole && len(removals)*removalSize > room/2 {
		d.lo, d.base, removals, whole = 0, l.clock, nil, false
	}
	if !whole {
		// All removals go in front, so that each part of a full state brings what
		// is known by now up to date.
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
		// The next change. A whole delta ends at one number for removals and entries alike,
		// and never between the two halves of an update.
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

// A verdict is what became of a delta.
type verdict int

const (
	merged  verdict = iota
	stale           // nothing new in it
	gap             // what comes before it is missing
	tooMany         // more entries than Config.Entries
)

// merge applies a delta to what is known of a peer. It may come twice, late, or
// with others missing: then it is left, and nothing has changed.
func (s *State) merge(p *peer, d *delta, diff *Diff) verdict {
	l := &p.line
	// A full state starts over where the removals in between are unknown.
	restart := d.base > l.asOf
	switch {
	case d.asOf < l.asOf, d.asOf == l.asOf && d.hi <= l.clock:
		return stale
	case (d.lo > l.clock || d.lo > 0 && restart) && s.defect != gapsAccepted:
		return gap
	case !restart && d.hi < l.clock:
		return stale
	case l.live+len(d.values) > s.cfg.Entries:
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
	// Of the entries made in the stretch, those that are not listed have been removed.
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
	l.trim(s.cfg.History, l.asOf)
	return merged
}

// adopt takes an entry of another replica.
func (s *State) adopt(p *peer, v *value, diff *Diff) {
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
func (s *State) discard(p *peer, i int, diff *Diff) {
	e := p.take(i)
	if e == nil {
		return
	}
	if p.up {
		s.hide(e, diff)
	}
	s.forget(e.topic)
}
