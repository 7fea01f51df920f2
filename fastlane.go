package bennu

import (
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
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

// overflow ends a channel that could not take a message meant for it: its client
// joins again, and knows that it has missed something.
func (c *Channel) overflow(event string) {
	c.mu.Lock()
	over := c.state < closed
	c.mu.Unlock()
	if over {
		c.fail(c.at(nil).of(event), ErrMailboxFull)
	}
}

// Gap implements pubsub.GapSubscriber. The client joins again, and so knows that
// it may have missed something.
func (l *fastlane) Gap(string) { (*Channel)(l).gap() }

func (c *Channel) gap() {
	if c.socket.node.ignoreGaps {
		c.at(nil).say(notice.GapIgnored)
	} else if c.crash(ErrGap) {
		c.at(nil).say(notice.Gap)
	}
}

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

func broadcastOf(m *pubsub.Message) Broadcast {
	return Broadcast{Topic: m.Topic, Event: m.Event, Payload: Payload{Data: m.Payload, Binary: m.Binary}}
}

// memo is what is found out once for all subscribers of one dispatch.
type memo struct {
	checked, unsound bool
	refused          error // it was said that it is too large
	// frames are the encodings, one for each serializer met. There are seldom more than
	// two, so a list is all it takes.
	frames []encoding
}

func memoOf(d *pubsub.Dispatch) *memo {
	m, _ := d.Memo.(*memo)
	if m == nil {
		m = new(memo)
		d.Memo = m
	}
	return m
}

type encoding struct {
	serializer wire.Serializer
	frame      transport.Frame
	ok         bool
}

// frameFor encodes a broadcast for a socket's serializer, or finds that done. A
// serializer that cannot carry this broadcast leaves out its own subscribers and
// no others.
func frameFor(d *pubsub.Dispatch, s *Socket) (transport.Frame, bool) {
	known := memoOf(d)
	for i := range known.frames {
		if e := &known.frames[i]; e.serializer == s.serializer {
			return e.frame, e.ok
		}
	}
	if err := checkEvent(d.Event); err != nil { // of a program that publishes on the PubSub itself
		s.node.book.Say(notice.BroadcastEvent, notice.Foreign("topic", d.Topic), slog.String("error", err.Error()))
		known.frames = append(known.frames, encoding{serializer: s.serializer})
		return transport.Frame{}, false
	}
	f, err := broadcastFrame(s.serializer, &wire.Broadcast{
		Topic: d.Topic, Event: d.Event, Payload: Payload{Data: d.Payload, Binary: d.Binary},
	})
	if err != nil {
		s.node.book.Say(notice.Serializer, notice.Foreign("topic", d.Topic), notice.Foreign("event", d.Event), slog.String("error", textOf(err)))
	}
	known.frames = append(known.frames, encoding{s.serializer, f, err == nil})
	return f, err == nil
}

// sound reports whether a broadcast is one that this node would have taken from
// its own program: others can write to a broker, and what they write must not get
// into a frame unseen.
func (n *node) sound(d *pubsub.Dispatch) bool {
	if !d.Remote {
		return true
	}
	m := memoOf(d)
	if !m.checked {
		m.checked = true
		m.unsound = checkEvent(d.Event) != nil || !d.Binary && (len(d.Payload) == 0 || d.Payload[0] != '{' || !isJSON(d.Payload))
		if m.unsound {
			n.sayUnsound(d)
		}
	}
	return !m.unsound
}

// isJSON reports whether bytes are JSON text as a program may broadcast it: its values may be
// more and deeper than those of a client.
func isJSON(text []byte) bool {
	_, err := jsontext.Compact(text)
	return err == nil || errors.Is(err, jsontext.ErrTooDeep) && json.Valid(text)
}

// newMessage makes a broadcast. It is checked here, where the caller can be
// told, and not at the subscribers, of whom some could take it and others not.
// The topic can be almost anything: on one that no client can join there is nobody.
func newMessage(topic, event string, payload any) (*pubsub.Message, error) {
	if topic == "" || reserved.Topic(topic) {
		return nil, ErrTopic
	}
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	p, err := encodeObject(payload)
	if err != nil {
		return nil, err
	}
	return &pubsub.Message{Topic: topic, Event: event, Payload: p.Data, Binary: p.Binary}, nil
}
