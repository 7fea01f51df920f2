package cluster

import (
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// held are the held messages of a lane: those of boots that have not proved that they are alive. Most
// boots have started a moment ago, and their proof is on the way. Others belong to recorded
// messages that a stranger publishes again, possibly many. So the boot with the most bytes is dropped
// first, and messages of a boot that was asked in vain for holdTime are not held any more.
type held struct {
	boots map[uint64]*heldBoot
	bytes int
}

// heldBoot has the held messages of one boot.
type heldBoot struct {
	messages []incoming
	serials  map[uint64]struct{} // of the messages, so that copies take no room
	bytes    int
	since    time.Time
}

const (
	// holdTime is the time for which messages are held.
	holdTime = 10 * time.Second
	// maxHeldBoots and maxHeldBytes bound the held messages of one lane.
	maxHeldBoots = 64
	maxHeldBytes = 1 << 20
)

// hold holds a message and asks its publisher for a proof. If there is no room, the message is
// dropped, and a later proof causes a gap.
func (n *Node) hold(l *lane, e *envelope, in incoming) {
	now := time.Now()
	boot, size := e.boot, in.bytes()
	h := l.held.boots[boot]
	copied := false
	if h != nil {
		_, copied = h.serials[e.serial]
	}
	switch {
	case copied:
		n.stale(e)
	case n.peers.askedInVain(boot, now):
		n.unproved(boot, 1)
	case !n.makeHeldRoom(l, boot, size):
		n.unproved(boot, 1)
	default:
		if h == nil {
			h = &heldBoot{since: now, serials: make(map[uint64]struct{})}
			l.held.boots[boot] = h
			n.holding.Add(1)
		}
		h.messages = append(h.messages, in)
		h.serials[e.serial] = struct{}{}
		h.bytes += size
		l.held.bytes += size
	}
	n.challenge(boot, n.control)
}

// makeHeldRoom drops messages of the boots with the most bytes until there is room for a message of
// boot. It returns false if this boot itself has the most.
func (n *Node) makeHeldRoom(l *lane, boot uint64, size int) bool {
	h := l.held.boots[boot]
	for l.held.bytes+size > maxHeldBytes || h == nil && len(l.held.boots) >= maxHeldBoots {
		most, largest := boot, size
		if h != nil {
			largest += h.bytes
		}
		for other, o := range l.held.boots {
			if o.bytes > largest {
				most, largest = other, o.bytes
			}
		}
		if most == boot {
			return false
		}
		n.drop(l, most)
	}
	return true
}

// drop drops the held messages of a boot.
func (n *Node) drop(l *lane, boot uint64) {
	h := l.held.boots[boot]
	n.forget(l, boot, h)
	n.unproved(boot, len(h.messages))
}

// release delivers the held messages of a boot that has proved that it is alive.
func (n *Node) release(l *lane, boot uint64) {
	h := l.held.boots[boot]
	if h == nil {
		return
	}
	n.forget(l, boot, h)
	for _, in := range h.messages {
		n.deliver(l, in)
	}
}

// forget removes a boot.
func (n *Node) forget(l *lane, boot uint64, h *heldBoot) {
	delete(l.held.boots, boot)
	l.held.bytes -= h.bytes
	n.holding.Add(-1)
}

// expire drops messages that were held for holdTime.
func (n *Node) expire(l *lane, now time.Time) {
	for boot, h := range l.held.boots {
		if now.Sub(h.since) > holdTime {
			n.drop(l, boot)
		}
	}
}

// unproved counts messages that were dropped without a proof.
func (n *Node) unproved(boot uint64, messages int) {
	n.stats.discarded.Add(int64(messages))
	n.book.Say(notice.NodeUnproved, slog.Int("messages", messages))
	n.peers.lose(boot)
}
