package presence

import (
	"cmp"
	"slices"

	"github.com/bennu-go/bennu/internal/tracker"
)

// changes are the merged changes that clients or hooks have not got yet: 1 for an entry that joined, -1
// for one that left. An entry that joined and then left is not in the map.
type changes map[*tracker.Entry]int8

// add adds the joins and leaves of a diff.
func (c *changes) add(d tracker.Diff) {
	for _, e := range d.Joins {
		c.sum(e, 1)
	}
	for _, e := range d.Leaves {
		c.sum(e, -1)
	}
}

// sum adds n, 1 or -1, for an entry.
func (c *changes) sum(e *tracker.Entry, n int8) {
	if *c == nil {
		*c = make(changes)
	}
	if n += (*c)[e]; n == 0 {
		delete(*c, e)
	} else {
		(*c)[e] = n
	}
}

// diff returns the changes as a Diff.
func (c changes) diff() (d tracker.Diff) {
	for e, n := range c {
		if n > 0 {
			d.Joins = append(d.Joins, e)
		} else {
			d.Leaves = append(d.Leaves, e)
		}
	}
	return d
}

// change is an entry that joins or leaves.
type change struct {
	e      *tracker.Entry
	leaves bool
}

// list returns the changes in the order in which they are sent: by key, and for a key the joins before
// the leaves, so that a user whose meta is replaced does not seem to be away.
func (c changes) list() []change {
	list := make([]change, 0, len(c))
	for e, n := range c {
		list = append(list, change{e, n < 0})
	}
	slices.SortFunc(list, func(a, b change) int {
		switch d := cmp.Compare(a.e.Key(), b.e.Key()); {
		case d != 0:
			return d
		case a.leaves != b.leaves:
			if a.leaves {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.e.Ref(), b.e.Ref())
	})
	return list
}

// undo returns list as it was before the changes: without the joins, and with the leaves at its end. It
// may reuse the memory of list.
func (c changes) undo(list []*tracker.Entry) []*tracker.Entry {
	if len(c) == 0 {
		return list
	}
	list = slices.DeleteFunc(list, func(e *tracker.Entry) bool { return c[e] > 0 })
	for e, n := range c {
		if n < 0 {
			list = append(list, e)
		}
	}
	return list
}

// byKey compares entries by key and then by ref.
func byKey(a, b *tracker.Entry) int {
	if d := cmp.Compare(a.Key(), b.Key()); d != 0 {
		return d
	}
	return cmp.Compare(a.Ref(), b.Ref())
}
