package bennu

import (
	"log/slog"
	"slices"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// fastlane is a channel as subscriber of its own topic: broadcasts go straight
// to the connection, encoded once for all, and only intercepted events wake
// the channel.
type fastlane Channel

// The broadcasts kept for a channel whose join reply is not out yet, at most: half of what may
// wait for the client, as they go there all at once. A lone one is always kept.
const (
	maxHeldFrames = 1024
	maxHeldBytes  = 2 << 20
)

func (o outbound) held() (frames, bytes int) {
	return min(maxHeldFrames, max(1, o.messages/2)), min(maxHeldBytes, o.bytes/2)
}

// subscribe lets broadcasts come in, to be held until the join reply is out. Other nodes may not
// know of the subscription yet, so it waits until they do: nothing that is broadcast after the
// join is missed.
func (c *Channel) subscribe(intercepts []string) {
	c.intercepts = intercepts
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
	for ready := sub.Ready(); ready != nil; {
		select {
		case <-ready:
		case <-c.context().Done():
			return
		}
		was := ready
		if ready = sub.Ready(); ready == was {
			return
		}
	}
}

func (c *Channel) intercepted(event string) bool {
	return len(c.intercepts) > 0 && slices.Contains(c.intercepts, event)
}

// Deliver implements pubsub.Subscriber.
func (l *fastlane) Deliver(d *pubsub.Dispatch) {
	c := (*Channel)(l)
	if !c.socket.node.sound(d) {
		return
	}
	if c.intercepted(d.Event) {
		if !c.post(item{kind: itemOut, event: d.Event, payload: Payload{Data: d.Payload, Binary: d.Binary}}) {
			c.overflow(d.Event)
		}
		return
	}
	f, ok := frameFor(d, c.socket)
	if !ok {
		return
	}
	if !c.socket.cannotRead(f) && !c.socket.takes(f) { // what no client reads, the connection drops
		l.refuse(d, f)
		return
	}
	if !c.hand(f) && c.end(ErrMailboxFull, nil) { // which the reply to the join says
		frames, bytes := c.socket.outbound().held()
		c.at(nil).say(notice.JoinBacklog, slog.Int("limit", frames), slog.Int("limit_bytes", bytes))
	}
}

// hand sends a frame of a broadcast, or keeps it until the join reply is out. It reports
// false when too many are kept.
func (c *Channel) hand(f transport.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case joined, leaving:
		c.socket.conn.Send(f)
	case joining:
		x := c.extra()
		frames, bytes := c.socket.outbound().held()
		if len(x.held) >= frames || x.heldBytes+f.Len() > bytes && len(x.held) > 0 {
			return false
		}
		x.held = append(x.held, f)
		x.heldBytes += f.Len()
	}
	return true
}

// Gap implements pubsub.GapSubscriber. The client joins again, and so knows that
// it may have missed something.
func (l *fastlane) Gap(string) { (*Channel)(l).gap() }

// listener is a channel as subscriber of another topic.
type listener Channel

// Gap implements pubsub.GapSubscriber.
func (l *listener) Gap(string) { (*Channel)(l).gap() }

// Deliver implements pubsub.Subscriber.
func (l *listener) Deliver(d *pubsub.Dispatch) {
	c := (*Channel)(l)
	if !c.socket.node.sound(d) {
		return
	}
	if !c.post(item{kind: itemInfo, event: d.Event, payload: Payload{Data: d.Payload, Binary: d.Binary}, info: broadcastOf(d.Message)}) {
		c.overflow(d.Event)
	}
}
