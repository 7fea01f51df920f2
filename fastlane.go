package bennu

import (
	"log/slog"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// fastlane is a channel as subscriber of its own topic: broadcasts go straight
// to the connection, encoded once for all, and only intercepted events wake
// the channel.
type fastlane Channel

// maxHeld bounds the broadcasts kept for a channel whose join reply is not out yet.
const (
	maxHeldFrames = 2048
	maxHeldBytes  = 1 << 20
)

// Deliver implements pubsub.Subscriber.
func (l *fastlane) Deliver(d *pubsub.Dispatch) {
	c := (*Channel)(l)
	if c.intercepted(d.Event) {
		if !c.post(item{kind: itemOut, event: d.Event, payload: Payload{Data: d.Payload, Binary: d.Binary}}) {
			c.overflow()
		}
		return
	}
	f, ok := frameFor(d, c.socket)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case joined, leaving:
		c.socket.conn.Send(f)
	case joining:
		if len(c.held) >= maxHeldFrames || c.heldBytes+f.Len() > maxHeldBytes {
			c.socket.conn.Close(transport.CloseTryAgainLater)
			return
		}
		c.held = append(c.held, f)
		c.heldBytes += f.Len()
	}
}

// overflow ends a channel that could not take a message meant for it: its client
// joins again, and knows that it has missed something.
func (c *Channel) overflow() {
	c.mu.Lock()
	over := c.state < closed
	c.mu.Unlock()
	if over {
		c.socket.endpoint.stats.overflows.Add(1)
		c.fail(ErrMailboxFull)
	}
}

// listener is a channel as subscriber of another topic.
type listener Channel

// Deliver implements pubsub.Subscriber.
func (l *listener) Deliver(d *pubsub.Dispatch) {
	c := (*Channel)(l)
	if !c.post(item{kind: itemInfo, event: d.Event, payload: Payload{Data: d.Payload, Binary: d.Binary}, info: broadcastOf(d.Message)}) {
		c.overflow()
	}
}

func broadcastOf(m *pubsub.Message) Broadcast {
	return Broadcast{Topic: m.Topic, Event: m.Event, Payload: Payload{Data: m.Payload, Binary: m.Binary}}
}

// frames are the encodings of one broadcast, one for each serializer met. There
// are seldom more than two, so a list is all it takes.
type frames []encoding

type encoding struct {
	serializer wire.Serializer
	frame      transport.Frame
	ok         bool
}

// frameFor encodes a broadcast for a socket's serializer, or finds that done. A
// serializer that cannot carry this broadcast leaves out its own subscribers and
// no others.
func frameFor(d *pubsub.Dispatch, s *Socket) (transport.Frame, bool) {
	known, _ := d.Memo.(*frames)
	if known == nil {
		known = new(frames)
		d.Memo = known
	}
	for i := range *known {
		if e := &(*known)[i]; e.serializer == s.serializer {
			return e.frame, e.ok
		}
	}
	f, err := broadcastFrame(s.serializer, &wire.Broadcast{
		Topic: d.Topic, Event: d.Event, Payload: Payload{Data: d.Payload, Binary: d.Binary},
	})
	if err != nil {
		s.endpoint.log.Log(slog.LevelError, "broadcast skips clients whose serializer cannot carry it",
			slog.String("topic", d.Topic), slog.String("event", d.Event), slog.String("error", err.Error()))
	}
	*known = append(*known, encoding{s.serializer, f, err == nil})
	return f, err == nil
}

// newMessage makes a broadcast. It is checked here, where the caller can be
// told, and not at the subscribers, of whom some could take it and others not.
// The topic can be anything: on one that no client can join there is nobody.
func newMessage(topic, event string, payload any) (*pubsub.Message, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	p, err := encodeObject(payload)
	if err != nil {
		return nil, err
	}
	if p.Data == nil && !p.Binary {
		p.Data = emptyObject
	}
	return &pubsub.Message{Topic: topic, Event: event, Payload: p.Data, Binary: p.Binary}, nil
}
