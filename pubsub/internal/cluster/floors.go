package cluster

import (
	"slices"
	"time"
)

// A floor is the serial of the newest message of a node at the time when interest in a topic
// was taken. What the node published up to then is no message for that interest: somebody has
// recorded it and publishes it again. Interest notes the number of a moment, and each node how
// far it was at the last moments, so that interest costs the same however many nodes there are.

// floors numbers the moments. It is used with the lock of peers held.
type floors struct {
	moment  uint64 // the number of the last one; the first is 1
	made    time.Time
	settled uint64 // all messages of this moment and before have arrived, or never will
	next    uint64 // the moment that is settled next
	nextAt  time.Time
}

const (
	// floorTime is how long one moment is used for interest in more topics.
	floorTime = 250 * time.Millisecond
	// settleTime is how long messages may be on their way, at least.
	settleTime = 30 * time.Second
	// maxMarks bounds what is kept of a node. With more moments every second one is
	// forgotten: its interest then has the floor of the one before.
	maxMarks = 256
)

// floorMark is how far a node was at a moment.
type floorMark struct{ moment, serial uint64 }

// moment returns the number of this moment, or of one a moment ago.
func (p *peers) moment() uint64 {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &p.floors
	if f.made.IsZero() || now.Sub(f.made) > floorTime {
		f.moment++
		f.made = now
		for _, k := range p.known {
			k.mark(f.moment)
		}
	}
	return f.moment
}

// newMoment has the next interest get a moment of its own. Messages may have been delivered,
// for interest that has been given up since, after the last one.
func (p *peers) newMoment() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.floors.made = time.Time{}
}

// mark notes how far a node is.
func (k *peer) mark(moment uint64) {
	serial := k.high.Load()
	if last := len(k.marks) - 1; last >= 0 && k.marks[last].serial == serial {
		return
	}
	if len(k.marks) >= maxMarks {
		rest := k.marks[:0]
		for i := 0; i < len(k.marks); i += 2 {
			rest = append(rest, k.marks[i])
		}
		k.marks = rest
	}
	k.marks = append(k.marks, floorMark{moment, serial})
}

// settle raises the floors of interest that is older than a time to those of that time. What
// was published before has been delivered, and the sources of a topic know its publisher; or
// it is lost.
func (p *peers) settle(now time.Time, span time.Duration) {
	f := &p.floors
	if now.Sub(f.nextAt) < span {
		return
	}
	f.settled = f.next
	f.next, f.nextAt = f.moment, now
	for _, k := range p.known {
		if i := k.at(f.settled); i > 0 {
			k.marks = slices.Delete(k.marks, 0, i)
		}
	}
}

// at finds the last mark that is not after a moment. It returns -1 when there is none.
func (k *peer) at(moment uint64) int {
	for i := len(k.marks) - 1; i >= 0; i-- {
		if k.marks[i].moment <= moment {
			return i
		}
	}
	return -1
}

// floor is the floor of a node for interest of a moment. A node that was unknown then says
// itself how far it was; so it does for moment 0, which no interest has.
func (p *peers) floor(k *peer, moment uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.floorLocked(k, moment)
}

func (p *peers) floorLocked(k *peer, moment uint64) uint64 {
	if moment != 0 {
		if i := k.at(max(moment, p.floors.settled)); i >= 0 {
			return k.marks[i].serial
		}
	}
	return k.floor
}
