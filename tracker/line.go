package tracker

import (
	"slices"
	"sort"
)

// A line is what is known of one replica. Only the replica itself adds and
// removes its entries, so its history is a line of numbered changes, and where
// somebody stands on it can be told in two numbers.
type line struct {
	*origin
	// Every change up to clock is known here. Entries made up to clock are known
	// as they were at asOf: that is later than clock only in the middle of
	// a full state that comes in parts.
	clock, asOf uint64
	// Every entry made up to top was seen here once. One of those that is not here
	// has been removed, whoever may still list it.
	top   uint64
	slots []slot // in the order of their clocks
	live  int    // slots with an entry
	// The latest removals, in order: all of those after start and up to asOf.
	removals []removal
	start    uint64
}

// A slot keeps its clock when its entry has gone, for the search.
type slot struct {
	clock uint64
	entry *Entry
}

// A removal is the change that removed an entry: dot is its own number, tag that
// of the entry. An update is a removal and the making of an entry with one dot.
type removal struct{ dot, tag uint64 }

// after is the index of the first slot later than a clock.
func (l *line) after(clock uint64) int {
	return sort.Search(len(l.slots), func(i int) bool { return l.slots[i].clock > clock })
}

// at is the index of the slot of a clock, or -1 when no entry is there.
func (l *line) at(clock uint64) int {
	i := sort.Search(len(l.slots), func(i int) bool { return l.slots[i].clock >= clock })
	if i == len(l.slots) || l.slots[i].clock != clock || l.slots[i].entry == nil {
		return -1
	}
	return i
}

// push takes an entry later than all others.
func (l *line) push(e *Entry) {
	l.slots = append(l.slots, slot{e.clock, e})
	l.live++
	l.top = e.clock
}

// take empties a slot. The caller calls compact when it has done with indexes.
func (l *line) take(i int) *Entry {
	e := l.slots[i].entry
	if e != nil {
		l.slots[i].entry = nil
		l.live--
	}
	return e
}

// compact drops empty slots once they are the most: a removal costs O(1) in the end.
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

// record remembers a removal. Messages share the memory of removals, so they are
// never changed in place.
func (l *line) record(r removal) { l.removals = append(l.removals, r) }

// trim forgets the oldest removals over a limit, but none later than keep.
func (l *line) trim(limit int, keep uint64) {
	n := len(l.removals) - limit
	if n <= 0 {
		return
	}
	n = min(n, sort.Search(n, func(i int) bool { return l.removals[i].dot > keep }))
	if n > 0 {
		l.start = l.removals[n-1].dot
		l.removals = l.removals[n:]
		if n > limit/8 { // many came at once: their memory goes with them
			l.removals = slices.Clone(l.removals)
		}
	}
}

// removedAfter is the removals later than a clock.
func (l *line) removedAfter(clock uint64) []removal {
	i := sort.Search(len(l.removals), func(i int) bool { return l.removals[i].dot > clock })
	return l.removals[i:len(l.removals):len(l.removals)]
}
