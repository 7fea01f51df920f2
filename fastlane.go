package bennu

import (
	"log/slog"
	"slices"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// fastlane is the subscription of a channel to its own topic. Broadcasts go straight to the
// connection, encoded once for all; only the events that the channel intercepts go through its
// mailbox.
type fastlane Channel

// Bounds of the broadcasts that a channel holds while it is joining. They are at most half of the
// queue of its client, since all of them are sent at once. One broadcast of any size is always
// held.
const (
	maxHeldFrames = 1024
	maxHeldBytes  = 2 << 20
)

// held returns the bounds for a client with this queue.
func (o outbound) held() (frames, bytes int) {
	return min(maxHeldFrames, max(1, o.messages/2)), min(maxHeldBytes, o.bytes/2)
}

// subscribe subscribes the channel to its topic; broadcasts are held until the reply to the join is
// sent. It waits until other nodes know of the subscription, so that the channel misses no
// broadcast that follows the join. The wait ends with the channel, at the latest after
// Limits.JoinTimeout.
func (c *Channel) subscribe(intercepts []string) {
	if len(intercepts) > 0 {
		list := intercepts // so that the argument stays on the stack for all other channels
		c.intercepts = &list
	}
	if c.kept != nil {
		c.subscribeKept()
		return
	}
	sub := c.socket.node.pubsub.Subscribe(c.topic, (*fastlane)(c))
	c.mu.Lock()
	over := c.state >= closed
	if !over {
		c.sub = sub
	}
	c.mu.Unlock()
	if over {
		sub.Cancel()
		return
	}
	c.awaitReady(sub)
}

// awaitReady waits until no later message can be missed by a subscription. It reports false if the
// channel has ended before.
func (c *Channel) awaitReady(sub interface{ Ready() <-chan struct{} }) bool {
	for ready := sub.Ready(); ready != nil; {
		select {
		case <-ready:
		case <-c.context().Done():
			return false
		}
		was := ready
		if ready = sub.Ready(); ready == was {
			break
		}
	}
	return true
}

// intercepted reports whether broadcasts of an event go to HandleOut.
func (c *Channel) intercepted(event string) bool {
	return c.intercepts != nil && slices.Contains(*c.intercepts, event)
}

// Deliver implements pubsub.Subscriber. It runs in the publisher's goroutine and never blocks.
func (l *fastlane) Deliver(d *pubsub.Dispatch) {
	c := (*Channel)(l)
	var f transport.Frame
	isEntry := false
	if d.Place != nil {
		if isEntry, f = l.deliverKept(d); isEntry && len(f.Bytes()) == 0 {
			return
		}
	}
	if !isEntry {
		if !c.socket.node.sound(d) {
			return
		}
		if c.intercepted(d.Event) {
			l.intercept(d)
			return
		}
		var ok bool
		if f, ok = frameFor(d, c.socket); !ok {
			return
		}
	}
	// Binary frames for text-only clients are dropped by the connection.
	if c.socket.node.mayExceed(f) && !c.socket.cannotRead(f) && !c.socket.takes(f) {
		l.refuse(d, f)
		return
	}
	if !c.sendOrHold(f) && c.end(ErrMailboxFull, nil) { // the client learns it from the reply to its join
		frames, bytes := c.socket.outbound().held()
		c.at(nil).say(notice.JoinBacklog, slog.Int("limit", frames), slog.Int("limit_bytes", bytes))
	}
}

// intercept puts a broadcast into the mailbox, for HandleOut.
func (l *fastlane) intercept(d *pubsub.Dispatch) {
	c := (*Channel)(l)
	if !c.post(item{kind: itemOut, event: d.Event, payload: Payload{Data: d.Payload, Binary: d.Binary}}) {
		c.overflow(d.Event)
	}
}

// sendOrHold sends the frame of a broadcast, or holds it while the channel is joining. It reports
// false when that would exceed the bounds of held.
func (c *Channel) sendOrHold(f transport.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case joined, leaving:
		c.socket.conn.Send(f)
	case joining:
		x := c.extra()
		frames, bytes := c.socket.outbound().held()
		if len(x.held) >= frames || x.heldBytes+len(f.Bytes()) > bytes && len(x.held) > 0 {
			return false
		}
		x.held = append(x.held, f)
		x.heldBytes += len(f.Bytes())
	}
	return true
}

// Gap implements pubsub.GapSubscriber. The client joins again, and so knows that
// it may have missed something.
func (l *fastlane) Gap(string) { (*Channel)(l).gap() }

// refuse counts and logs, once for a dispatch, a broadcast that is too large for this client. It
// did not go through fits, or the connection has a smaller queue than its mount. If the publisher
// does not get the error, for instance because it is on another node, the channel has missed a
// message: it ends, and the client joins again.
func (l *fastlane) refuse(d *pubsub.Dispatch, f transport.Frame) {
	c := (*Channel)(l)
	known := refusedOf(d)
	if *known == nil {
		*known = c.socket.node.refuse(d.Message, &tooLarge{len(f.Bytes()), c.socket.outbound().bytes, "those with more room get it"})
	}
	if !d.Refuse(*known) {
		c.gap()
	}
}

// refusedOf returns the place where the subscribers of one dispatch share the error of refuse.
func refusedOf(d *pubsub.Dispatch) *error {
	if e, ok := d.Memo.(*follow.Entry); ok {
		return &entryMemoOf(e).refused
	}
	return &memoOf(d).refused
}
