package tracker

import (
	"slices"
	"strings"
	"time"
)

// A peer is another replica from which a heartbeat was received. A replica that only others list is
// not a peer, since it may have ended long ago.
type peer struct {
	line
	up    bool          // its entries are visible
	heard time.Duration // time of its last message
	// overdue means that it has been silent for longer than an idle replica may be.
	overdue bool
	// told is the highest clock that it has reached, by its own messages or those of others.
	told uint64

	// From the marks of its last heartbeat.
	knowsUs   bool   // it has a mark of this replica
	ourClock  uint64 // the clock of that mark
	strangers bool   // it has a mark of a replica that is unknown here
	ahead     []mark // those of replicas of which it knows more than this one

	asked bool // it was asked for its own changes since the last sample
	tries int  // samples that found its line behind
}

// behind reports whether changes of the peer are known to be missing.
func (p *peer) behind() bool { return p.clock < p.asOf || p.clock < p.told }

// A mark says up to which clocks a replica is known. See line.
type mark struct {
	replica     replica
	clock, asOf uint64
}

// A grave is kept for a name with ended incarnations: upTo and all below are refused.
type grave struct {
	upTo uint64
	dug  time.Duration // the time at which it was made
}

// refused reports whether a replica is known to have ended.
func (s *state) refused(id replica) bool {
	if s.defect == deadAccepted {
		return false
	}
	if p := s.peers[id.name]; p != nil && p.id.incarnation > id.incarnation {
		return true
	}
	g, ok := s.gone[id.name]
	return ok && id.incarnation <= g.upTo
}

// known returns the peer with exactly that name and incarnation, or nil.
func (s *state) known(id replica) *peer {
	if p := s.peers[id.name]; p != nil && p.id == id {
		return p
	}
	return nil
}

// meet returns the peer from which a heartbeat came, and makes it if it is new. A new
// incarnation ends the one before it. The result is nil if there is no room for the peer.
func (s *state) meet(id replica, diff *Diff) *peer {
	if old := s.peers[id.name]; old != nil {
		if old.id == id {
			return old
		}
		s.drop(old, diff)
	}
	if len(s.order) >= s.opts.replicas {
		return nil
	}
	// A clone, since the name shares the memory of a message.
	id.name = strings.Clone(id.name)
	p := &peer{line: line{origin: newOrigin(id)}}
	s.peers[id.name] = p
	i, _ := s.place(id.name)
	s.order = slices.Insert(s.order, i, p)
	return p
}

// place returns the index of a name in order, and whether it is there.
func (s *state) place(name string) (int, bool) {
	return slices.BinarySearchFunc(s.order, name, func(p *peer, name string) int { return strings.Compare(p.id.name, name) })
}

// raise shows the entries of a peer that is new or up again.
func (s *state) raise(p *peer, diff *Diff) {
	p.up = true
	for _, slot := range p.slots {
		if slot.entry != nil {
			s.show(slot.entry, diff)
		}
	}
}

// lower hides the entries of a silent peer, without forgetting them.
func (s *state) lower(p *peer, diff *Diff) {
	p.up = false
	p.knowsUs, p.strangers, p.ahead = false, false, nil
	for _, slot := range p.slots {
		if slot.entry != nil {
			s.hide(slot.entry, diff)
		}
	}
}

// drop forgets a peer and its entries.
func (s *state) drop(p *peer, diff *Diff) {
	for i := range p.slots {
		s.discard(p, i, diff)
	}
	delete(s.peers, p.id.name)
	if i, found := s.place(p.id.name); found {
		s.order = slices.Delete(s.order, i, i+1)
	}
}

// bury refuses the incarnations of a name up to upTo from now on. judge removes graves when neither a late
// message nor another replica can still mention the ended incarnation. Their number is bounded, since
// everybody who can publish to the broker can make up names.
func (s *state) bury(name string, upTo uint64, now time.Duration) {
	if old, ok := s.gone[name]; ok {
		upTo = max(upTo, old.upTo)
	} else if len(s.gone) >= 2*maxReplicas {
		oldest, when := "", time.Duration(0)
		for name, g := range s.gone {
			if oldest == "" || g.dug < when || g.dug == when && name < oldest {
				oldest, when = name, g.dug
			}
		}
		delete(s.gone, oldest)
	}
	s.gone[strings.Clone(name)] = grave{upTo, now}
}
