package tracker

import (
	"slices"
	"strings"
	"time"
)

// A peer is another replica from which a heartbeat was received. A replica that others
// list is no reason to make a peer: it may have ended long ago.
type peer struct {
	line
	up    bool
	heard time.Duration
	// overdue means that it has been silent for longer than an idle replica is.
	overdue bool
	// told is the highest clock that it, or another replica, said that it has reached.
	told uint64

	// From the marks of its last heartbeat.
	knowsUs   bool   // it has a mark of this replica,
	ourClock  uint64 // with this clock
	strangers bool   // it has a mark of a replica that is unknown here
	ahead     []mark // of replicas that it knows further than this one does

	asked bool // it was asked for its own changes since the last sample
	tries int  // samples that found its line behind
}

// behind reports whether changes of the peer are known to be missing.
func (p *peer) behind() bool { return p.clock < p.asOf || p.clock < p.told }

// A mark says how far a replica is known, in the terms of line.
type mark struct {
	replica     replica
	clock, asOf uint64
}

// A grave refuses the ended incarnations of a name: upTo and all below.
type grave struct {
	upTo uint64
	dug  time.Duration // when
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
	// The name shares the memory of a message.
	id.name = strings.Clone(id.name)
	p := &peer{line: line{origin: newOrigin(id)}}
	s.peers[id.name] = p
	i, _ := s.place(id.name)
	s.order = slices.Insert(s.order, i, p)
	return p
}

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

// bury refuses the incarnations of a name up to upTo from now on. Graves are kept for as long
// as a late message or another replica may still bring an ended incarnation, and are bounded
// in number, since whoever can publish to the broker can make up names.
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
