package tracker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

var (
	topics = []string{"room:1", "room:2", "room:3"}
	keys   = []string{"ada", "bob", "cyd"}
)

// checkFold checks that the diffs of a node add up to its list.
func (w *world) checkFold(n *node) {
	listed := 0
	for _, topic := range topics {
		list := n.state.list(topic)
		listed += len(list)
		if len(list) != n.state.count(topic) {
			w.fail("%s counts %d entries of %d", n.name, n.state.count(topic), len(list))
		}
		for _, e := range list {
			if n.fold[tag{e.origin.fingerprint, e.clock}] != e || e.Topic() != topic {
				w.fail("%s lists %s, which its diffs do not", n.name, e.Key())
			}
		}
	}
	if listed != len(n.fold) {
		w.fail("%s lists %d entries, its diffs come to %d", n.name, listed, len(n.fold))
	}
}

// checkOwn checks that a node lists exactly the entries that its own users track, at once.
func (w *world) checkOwn(n *node) {
	for p, meta := range n.own {
		if e := n.state.find(p.topic, p.owner, p.key); e == nil || e.Meta() != meta {
			w.fail("%s does not find %v", n.name, p)
		}
	}
	if n.state.own.live != len(n.own) {
		w.fail("%s has %d entries of its own, want %d", n.name, n.state.own.live, len(n.own))
	}
}

// checkIndexes checks that each index has every entry.
func (w *world) checkIndexes(n *node) {
	s := n.state
	visible, entries := 0, 0
	for name, t := range s.topics {
		visible += len(t.visible)
		entries += t.entries
		for i, e := range t.visible {
			if int(e.pos) != i || e.topic != t || t.name != name {
				w.fail("%s: %s is not where it says", n.name, e.Key())
			}
			if !slices.Contains(s.get(name, e.Key()), e) {
				w.fail("%s: %s is not under its key", n.name, e.Key())
			}
		}
	}
	if s.index.n != visible {
		w.fail("%s: %d entries in the index, %d visible", n.name, s.index.n, visible)
	}
	live := s.checkLine(w, &s.own)
	if len(s.peers) != len(s.order) {
		w.fail("%s: %d peers and %d in order", n.name, len(s.peers), len(s.order))
	}
	for _, p := range s.order {
		live += s.checkLine(w, &p.line)
	}
	if live != entries || live != s.counters().Entries {
		w.fail("%s: %d entries in lines, %d in topics", n.name, live, entries)
	}
}

func (s *state) checkLine(w *world, l *line) int {
	live, last := 0, uint64(0)
	for _, slot := range l.slots {
		if slot.clock <= last || slot.clock > l.top || slot.entry != nil && slot.entry.clock != slot.clock {
			w.fail("%s: slot %d of %v is out of order", s.own.id.name, slot.clock, l.id)
		}
		last = slot.clock
		if slot.entry != nil {
			live++
		}
	}
	if live != l.live || l.clock > l.asOf || l.clock > l.top && l != &s.own {
		w.fail("%s: line of %v: %d live of %d, clock %d, as of %d, top %d", s.own.id.name, l.id, l.live, live, l.clock, l.asOf, l.top)
	}
	last = l.start
	for _, r := range l.removals {
		if r.dot <= last || r.dot > l.asOf {
			w.fail("%s: removal %d of %v is out of order", s.own.id.name, r.dot, l.id)
		}
		last = r.dot
	}
	return live
}

// want returns the entries that every node should list.
func (w *world) want() []string {
	var all []string
	for _, n := range w.nodes {
		if n.state == nil {
			continue
		}
		for p, meta := range n.own {
			all = append(all, fmt.Sprint(n.state.self(), p, meta))
		}
	}
	slices.Sort(all)
	return all
}

// lists returns the entries that a node lists, of the wanted replicas.
func (n *node) lists(of func(replica) bool) []string {
	var all []string
	for _, e := range n.fold {
		if of(e.origin.id) {
			all = append(all, fmt.Sprint(e.origin.id, place{e.Topic(), e.owner, e.Key()}, e.Meta()))
		}
	}
	slices.Sort(all)
	return all
}

// checkEqual checks that all nodes list the entries of the users of running nodes. Entries of stopped
// nodes are ignored until their down time has passed.
func (w *world) checkEqual(ghosts bool) {
	living := map[replica]bool{}
	for _, n := range w.nodes {
		if n.state != nil {
			living[n.state.self()] = true
		}
	}
	want := w.want()
	for _, n := range w.nodes {
		if n.state == nil {
			continue
		}
		got := n.lists(func(r replica) bool { return !ghosts || living[r] })
		if !slices.Equal(got, want) {
			w.fail("%s lists\n\t%s\nwant\n\t%s", n.name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
}

// checkSettled checks that nothing changes any more when all agree, except the knowledge of stopped nodes.
func (w *world) checkSettled(n *node, d Diff) {
	for _, e := range slices.Concat(d.Joins, d.Leaves) {
		for _, other := range w.nodes {
			if other.state != nil && other.state.self() == e.origin.id {
				w.fail("%s: %s of %s comes or goes after all agreed", n.name, e.Key(), other.name)
			}
		}
	}
}

// checkForgotten checks that no data is left of nodes that are gone for good.
func (w *world) checkForgotten() {
	for _, n := range w.nodes {
		if n.state == nil {
			continue
		}
		living := 0
		for _, other := range w.nodes {
			if other != n && other.state != nil {
				living++
			}
		}
		if len(n.state.peers) != living {
			w.fail("%s knows %v, %d live", n.name, slices.Sorted(maps.Keys(n.state.peers)), living)
		}
		if st := n.state.counters(); st.Entries != len(w.want()) {
			w.fail("%s keeps %d entries, want %d", n.name, st.Entries, len(w.want()))
		}
	}
}
