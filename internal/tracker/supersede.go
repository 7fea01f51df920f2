package tracker

import (
	"math"
	"time"
)

// supersede records that others know a higher incarnation of this node's name.
func (s *state) supersede(id replica) {
	if id.incarnation > s.own.id.incarnation {
		s.newer = max(s.newer, id.incarnation)
	}
}

// newest returns the highest known incarnation of a name.
func (s *state) newest(name string) uint64 {
	newest := s.gone[name].upTo
	if p := s.peers[name]; p != nil {
		newest = max(newest, p.id.incarnation)
	}
	return newest
}

// maxStep bounds the distance from an incarnation to the one that rise takes above it.
const maxStep = 1 << 30

// rise takes an incarnation above the one that supersedes this replica, if there is one, and tracks all
// own entries again under it. To the others this looks like a later start of the node. It does so at most
// once in a DownPeriod, since two running nodes with one name supersede each other in turn.
func (s *state) rise(now time.Duration, diff *Diff) {
	if s.newer == 0 || s.newer > math.MaxUint64-maxStep || s.risen && now-s.rose < s.opts.DownPeriod || s.defect == supersededStays {
		return
	}
	old := s.own
	// Two replicas that rise above the same incarnation must not take the same one.
	step := 1 + old.fingerprint%maxStep
	if s.defect == risesMeet {
		step = 1
	}
	s.own = line{origin: newOrigin(replica{old.id.name, s.newer + step})}
	s.newer, s.risen, s.rose = 0, true, now
	s.sent, s.owners = 0, map[Owner]*Entry{}
	for _, slot := range old.slots {
		e := slot.entry
		if e == nil {
			continue
		}
		s.own.clock++
		s.own.asOf = s.own.clock
		s.add(e.topic.name, e.owner, e.data, int(e.keyLen), 0, diff)
		e.nextOfOwner, e.prevOfOwner = nil, nil
		s.hide(e, diff)
		s.forget(e.topic)
	}
	for _, p := range s.order { // their marks are of the old incarnation
		p.knowsUs, p.ourClock = false, 0
	}
	s.wake()
}
