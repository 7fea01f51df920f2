package cluster

import (
	"slices"
	"time"
)

// A floor is the serial of the newest message of a node at the time when interest in a topic began.
// Messages of the node up to the floor are not for this interest: if one arrives, somebody has recorded
// it and publishes it again. To make interest cheap with many nodes, it only notes the number of a
// moment, and each peer notes its serial at the last moments.

// floors numbers the moments. The lock of peers guards it.
type floors struct {
	moment  uint64 // number of the last moment; the first is 1
	made    time.Time
	settled uint64 // messages from up to this moment have arrived, or never will
	next    uint64 // the next value of settled
	nextAt  time.Time
}

const (
	// floorTime is the time for which one moment is used.
	floorTime = 250 * time.Millisecond
	// settleTime is the least time for which messages may be on the way.
	settleTime = 30 * time.Second
	// maxMarks bounds the marks of a peer. If there are more, every second one is removed, and
	// interest of its moment gets the floor of the moment before.
	maxMarks = 256
)

// floorMark is the serial of a peer at a moment.
type floorMark struct{ moment, serial uint64 }

// moment returns the number of the present moment, which may have begun up to floorTime ago.
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

// newMoment makes the next interest begin a new moment. It is called when interest ends, since messages
// may have been delivered for it after the last moment.
func (p *peers) newMoment() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.floors.made = time.Time{}
}

// mark notes the serial of a peer at a moment.
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

// settle raises the floors of interest that is older than span to those of that time. Older messages
// were delivered, so that the sources of their topics know the publisher, or are lost.
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

// at returns the index of the last mark that is not after a moment, or -1.
func (k *peer) at(moment uint64) int {
	for i := len(k.marks) - 1; i >= 0; i-- {
		if k.marks[i].moment <= moment {
			return i
		}
	}
	return -1
}

// floor returns the floor of a peer for interest of a moment. For a peer that was unknown then, and for
// moment 0, which stands for the inbox, it is the serial that the peer itself has sent.
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
