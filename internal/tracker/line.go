package tracker

import (
	"slices"
	"sort"
)

// A line is the known history of one replica. Only the replica itself adds and removes its
// entries, so its history is a sequence of numbered changes, and two numbers say how much of it
// is known.
type line struct {
	*origin
	// Every change up to clock is known, and for the entries made up to clock also every removal
	// up to asOf. asOf is later than clock only between the parts of a full state.
	clock, asOf uint64
	// Every entry made up to top was in slots at some time. One that is no longer there has been
	// removed, even if a late message lists it.
	top   uint64
	slots []slot // in the order of their clocks
	live  int    // slots with an entry
	// All removals after start and up to asOf, in order.
	removals []removal
	start    uint64
}

// A slot is the place of an entry. It keeps its clock when the entry is removed, so that binary search
// still works.
type slot struct {
	clock uint64
	entry *Entry
}

// A removal is a change that removed an entry: dot is the number of the change, tag the clock
// of the entry. The removal of an update has the clock of the new entry as its dot.
type removal struct{ dot, tag uint64 }

// after returns the index of the first slot later than a clock.
func (l *line) after(clock uint64) int {
	return sort.Search(len(l.slots), func(i int) bool { return l.slots[i].clock > clock })
}

// at returns the index of the slot of a clock, or -1 if no entry is there.
func (l *line) at(clock uint64) int {
	i := sort.Search(len(l.slots), func(i int) bool { return l.slots[i].clock >= clock })
	if i == len(l.slots) || l.slots[i].clock != clock || l.slots[i].entry == nil {
		return -1
	}
	return i
}

// push adds an entry that is later than all others.
func (l *line) push(e *Entry) {
	l.slots = append(l.slots, slot{e.clock, e})
	l.live++
	l.top = e.clock
}

// take empties a slot. Indexes stay valid until the caller calls compact.
func (l *line) take(i int) *Entry {
	e := l.slots[i].entry
	if e != nil {
		l.slots[i].entry = nil
		l.live--
	}
	return e
}

// compact removes the empty slots when they outnumber the others, so that a removal takes amortized
// constant time.
func (l *line) compact() {
	if len(l.slots) < 32 || l.live > len(l.slots)/2 {
		return
	}
	kept := make([]slot, 0, l.live+l.live/4)
	for _, s := range l.slots {
		if s.entry != nil {
			kept = append(kept, s)
		}
	}
	l.slots = kept
}

// record appends a removal. Messages share the memory of removals, so elements are never changed.
func (l *line) record(r removal) { l.removals = append(l.removals, r) }

// trim forgets the oldest removals above a limit, but none later than keep.
func (l *line) trim(limit int, keep uint64) {
	n := len(l.removals) - limit
	if n <= 0 {
		return
	}
	n = min(n, sort.Search(n, func(i int) bool { return l.removals[i].dot > keep }))
	if n > 0 {
		l.start = l.removals[n-1].dot
		l.removals = l.removals[n:]
		if n > limit/8 { // many at once: release their memory
			l.removals = slices.Clone(l.removals)
		}
	}
}

// removedAfter returns the removals later than a clock.
func (l *line) removedAfter(clock uint64) []removal {
	i := sort.Search(len(l.removals), func(i int) bool { return l.removals[i].dot > clock })
	return l.removals[i:len(l.removals):len(l.removals)]
}
