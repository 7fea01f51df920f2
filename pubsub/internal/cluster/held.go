package cluster

import (
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// held is what a lane keeps back: messages of nodes that have not proved that they are
// alive. Most are of nodes that started a moment ago, whose proof is on its way; the others
// were recorded, and are published again by a stranger. Those are many, and never proved, so
// who says most goes first, and who was asked in vain for holdTime is kept back no more.
type held struct {
	boots map[uint64]*heldBoot
	bytes int
}

type heldBoot struct {
	messages []incoming
	serials  map[uint64]struct{} // of the messages: a stranger's copies take no room
	bytes    int
	since    time.Time
}

const (
	// holdTime is how long messages are kept back for a proof.
	holdTime = 10 * time.Second
	// maxHeldBoots and maxHeldBytes bound what one lane keeps back.
	maxHeldBoots = 64
	maxHeldBytes = 1 << 20
)

// hold keeps a message back and asks its publisher for a proof. What there is no room for is
// dropped, and the proof tells that there is a gap.
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

// makeHeldRoom drops what others hold until a message of a boot has room, or reports that this
// boot holds the most itself.
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

// drop drops what is held for a boot.
func (n *Node) drop(l *lane, boot uint64) {
	h := l.held.boots[boot]
	n.forget(l, boot, h)
	n.unproved(boot, len(h.messages))
}

// release delivers what was held for a node that has proved that it is alive.
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

func (n *Node) forget(l *lane, boot uint64, h *heldBoot) {
	delete(l.held.boots, boot)
	l.held.bytes -= h.bytes
	n.holding.Add(-1)
}

// expire drops what was held for too long.
func (n *Node) expire(l *lane, now time.Time) {
	for boot, h := range l.held.boots {
		if now.Sub(h.since) > holdTime {
			n.drop(l, boot)
		}
	}
}

// unproved counts messages that were dropped for want of a proof.
func (n *Node) unproved(boot uint64, messages int) {
	n.stats.discarded.Add(int64(messages))
	n.book.Say(notice.NodeUnproved, slog.Int("messages", messages))
	n.peers.lose(boot)
}
