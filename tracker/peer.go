package tracker

import (
	"slices"
	"strings"
	"time"
)

// A peer is another replica, known because it was heard itself. What others say of
// a replica that never was, or that has gone, is not taken: so nobody can bring
// back the dead.
type peer struct {
	line
	up    bool
	heard time.Duration
	// overdue: it has been silent for longer than an idle replica is.
	overdue bool
	// told is the clock that it, or somebody, said it has.
	told uint64
	// What its last heartbeat said it knows: of us, of replicas that we never
	// heard, and of those where it is ahead of us.
	knowsUs   bool
	ourClock  uint64
	strangers bool
	ahead     []mark
	asked     bool // itself, since the last sample
	tries     int  // samples that found it behind
}

// behind reports whether there is more to know than is known.
func (p *peer) behind() bool { return p.clock < p.asOf || p.clock < p.told }

// A mark is how far somebody knows a replica.
type mark struct {
	replica     Replica
	clock, asOf uint64
}

// A grave keeps the incarnations of a name that are gone from coming back.
type grave struct {
	upTo uint64 // this one and all before it
	dug  time.Duration
}

// refused reports whether a replica is known to be gone.
func (s *State) refused(id Replica) bool {
	if s.defect == deadAccepted {
		return false
	}
	if p := s.peers[id.Name]; p != nil && p.id.Incarnation > id.Incarnation {
		return true
	}
	g, ok := s.gone[id.Name]
	return ok && id.Incarnation <= g.upTo
}

// known is the peer of exactly that incarnation, or nil.
func (s *State) known(id Replica) *peer {
	if p := s.peers[id.Name]; p != nil && p.id == id {
		return p
	}
	return nil
}

// meet is the peer that a heartbeat came from, made if it is new. A new incarnation
// ends the one before it at once. It is nil when there is no room.
func (s *State) meet(id Replica, diff *Diff) *peer {
	if old := s.peers[id.Name]; old != nil {
		if old.id == id {
			return old
		}
		s.drop(old, diff)
	}
	if len(s.order) >= s.cfg.Replicas {
		return nil
	}
	// The id comes out of a message and outlives it.
	id.Name = strings.Clone(id.Name)
	p := &peer{line: line{origin: newOrigin(id)}}
	s.peers[id.Name] = p
	i, _ := s.place(id.Name)
	s.order = slices.Insert(s.order, i, p)
	return p
}

func (s *State) place(name string) (int, bool) {
	return slices.BinarySearchFunc(s.order, name, func(p *peer, name string) int { return strings.Compare(p.id.Name, name) })
}

// raise shows the entries of a peer that is up again, or new.
func (s *State) raise(p *peer, diff *Diff) {
	p.up = true
	for _, slot := range p.slots {
		if slot.entry != nil {
			s.show(slot.entry, diff)
		}
	}
}

// lower hides the entries of a peer that is silent, and keeps them.
func (s *State) lower(p *peer, diff *Diff) {
	p.up = false
	p.knowsUs, p.strangers, p.ahead = false, false, nil
	for _, slot := range p.slots {
		if slot.entry != nil {
			s.hide(slot.entry, diff)
		}
	}
}

// drop forgets a peer and all of its entries.
func (s *State) drop(p *peer, diff *Diff) {
	for i := range p.slots {
		s.discard(p, i, diff)
	}
	delete(s.peers, p.id.Name)
	if i, found := s.place(p.id.Name); found {
		s.order = slices.Delete(s.order, i, i+1)
	}
}

// bury refuses the incarnations of a name up to one from now on. Graves
// are kept for as long as a message or a third replica may bring back what is in
// them, and are bounded in number, for names may be made up.
func (s *State) bury(name string, upTo uint64, now time.Duration) {
	if old, ok := s.gone[name]; ok {
		upTo = max(upTo, old.upTo)
	} else if len(s.gone) >= 2*MaxReplicas {
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
