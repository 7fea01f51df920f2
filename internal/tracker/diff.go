package tracker

import (
	"cmp"
	"iter"
	"slices"
)

// A Diff is a change of the visible entries. No entry is in it twice; an update is a join
// and a leave in the same Diff.
type Diff struct {
	Joins, Leaves []*Entry
}

// Empty reports whether nothing changed.
func (d Diff) Empty() bool { return len(d.Joins) == 0 && len(d.Leaves) == 0 }

// ByTopic splits d by topic, in the order of the names. It may reorder the entries of d,
// and the parts share the memory of d.
func (d Diff) ByTopic() iter.Seq2[string, Diff] {
	return func(yield func(string, Diff) bool) {
		byTopic := func(a, b *Entry) int { return cmp.Compare(a.topic.name, b.topic.name) }
		slices.SortStableFunc(d.Joins, byTopic)
		slices.SortStableFunc(d.Leaves, byTopic)
		joins, leaves := d.Joins, d.Leaves
		for len(joins) > 0 || len(leaves) > 0 {
			var name string
			if len(leaves) == 0 || len(joins) > 0 && joins[0].topic.name <= leaves[0].topic.name {
				name = joins[0].topic.name
			} else {
				name = leaves[0].topic.name
			}
			var part Diff
			part.Joins, joins = leading(joins, name)
			part.Leaves, leaves = leading(leaves, name)
			if !yield(name, part) {
				return
			}
		}
	}
}

// leading splits off the leading entries of a topic.
func leading(entries []*Entry, topic string) (of, rest []*Entry) {
	n := 0
	for n < len(entries) && entries[n].topic.name == topic {
		n++
	}
	return entries[:n:n], entries[n:]
}
