package tracker

import (
	"math"
	"time"
)

// supersede notes that others know a later incarnation of our name.
func (s *State) supersede(id Replica) {
	if id.Incarnation > s.own.id.Incarnation {
		s.newer = max(s.newer, id.Incarnation)
	}
}

// Superseded is a higher incarnation that others know under this node's name, so that they
// do not see what is tracked here. Another living node has this name, or one had it, or the
// clock which the incarnation was taken from went back. A Tick answers it with a higher
// incarnation of this replica, at most once in a DownPeriod; then ok is false again.
func (s *State) Superseded() (incarnation uint64, ok bool) {
	return s.newer, s.newer > 0
}

// newest is the highest incarnation known of a name that is refused.
func (s *State) newest(name string) uint64 {
	newest := s.gone[name].upTo
	if p := s.peers[name]; p != nil {
		newest = max(newest, p.id.Incarnation)
	}
	return newest
}

// maxStep bounds how far above another incarnation rise goes.
const maxStep = 1 << 30

// rise takes an incarnation above the one that others know, when there is one and the last
// time was a DownPeriod ago, and tracks all own entries again under it: for the others this is
// a later start of the node. Two living nodes of one name hide each other in turn, and not in
// every period.
func (s *State) rise(now time.Duration, diff *Diff) {
	if s.newer == 0 || s.newer > math.MaxUint64-maxStep || s.risen && now-s.rose < s.cfg.DownPeriod || s.defect == supersededStays {
		return
	}
	old := s.own
	// Two that rise above the same incarnation must not meet in another.
	step := 1 + old.fingerprint%maxStep
	if s.defect == risesMeet {
		step = 1
	}
	s.own = line{origin: newOrigin(Replica{old.id.Name, s.newer + step})}
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
	for _, p := range s.order { // whoever knew this replica knew the one before
		p.knowsUs, p.ourClock = false, 0
	}
	s.Wake()
}
