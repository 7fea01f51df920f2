package bennu

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Broadcast is a message of a topic as handlers and functions of the program get it.
type Broadcast struct {
	Topic   string
	Event   string
	Payload Payload
	// Offset is the place of the message in the history of the topic. It is zero if the topic has no
	// history, and for LocalBroadcast.
	Offset history.Offset
	// Missed is the number of broadcasts that were dropped before this one because the subscriber
	// was too slow. It is one more when broadcasts of other nodes may have been missed. Only
	// Endpoint.Subscribe sets it.
	Missed int
}

// newMessage makes a broadcast, or returns an error if the event or the payload is not valid. The
// subscribers do not check them again, so that all of them get the broadcast, or none. A topic that
// no client can join is no error: the program may subscribe to it.
func newMessage(topic, name string, payload any) (*pubsub.Message, error) {
	if topic == "" || reserved.Topic(topic) {
		return nil, errTopic
	}
	if err := checkEvent(name); err != nil {
		return nil, err
	}
	p, err := encodeObject(payload)
	if err != nil {
		return nil, err
	}
	return &pubsub.Message{Topic: topic, Event: name, Payload: p.Data, Binary: p.Binary}, nil
}

// broadcastOf returns a message in the form in which handlers get it.
func broadcastOf(m *pubsub.Message) Broadcast {
	b := Broadcast{Topic: m.Topic, Event: m.Event, Payload: Payload{Data: m.Payload, Binary: m.Binary}}
	if m.Place != nil {
		b.Offset = offsetOf(follow.Position{Epoch: m.Place.Epoch, Offset: m.Place.Offset})
	}
	return b
}

// memo caches results that are the same for all subscribers of one dispatch: the check of a message
// from another node, and one frame for each serializer. A dispatch runs in one goroutine, so it
// needs no lock.
type memo struct {
	checked, unsound bool  // of sound
	refused          error // the frame is too large for a client; logged once, returned to the publisher
	// Few dispatches need more than two serializers, so a list is fast enough.
	frames []encoding
}

// encoding is the frame of a broadcast for one serializer.
type encoding struct {
	serializer wire.Serializer
	frame      transport.Frame
	ok         bool // the serializer could encode it
}

// memoOf returns the memo of a dispatch, which the first subscriber makes.
func memoOf(d *pubsub.Dispatch) *memo {
	m, _ := d.Memo.(*memo)
	if m == nil {
		m = new(memo)
		d.Memo = m
	}
	return m
}

// frameFor returns the frame of a broadcast for a socket's serializer, encoded once for each
// dispatch. If a serializer cannot encode the broadcast, only the subscribers with that serializer
// miss it; that is counted and logged once.
func frameFor(d *pubsub.Dispatch, s *Socket) (transport.Frame, bool) {
	known := memoOf(d)
	for i := range known.frames {
		if e := &known.frames[i]; e.serializer == s.serializer {
			return e.frame, e.ok
		}
	}
	if err := checkEvent(d.Event); err != nil { // only a program that publishes on the PubSub itself
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

// broadcastFrame returns the frame of a broadcast, which has no join_ref and so is the same for all
// channels.
func broadcastFrame(s wire.Serializer, b *wire.Broadcast) (transport.Frame, error) {
	size := envelope + len(b.Ref) + len(b.Topic) + len(b.Event) + len(b.Payload.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendBroadcast(dst, b) })
}

// sound reports whether a broadcast could have been made by newMessage. Broadcasts of other nodes
// are checked because any program may write to the broker, and its text must not get into a frame
// unchecked. An unsound one is dropped, counted and logged once.
func (n *node) sound(d *pubsub.Dispatch) bool { return !d.Remote || n.checkRemote(d) }

// checkRemote is sound for a broadcast of another node.
func (n *node) checkRemote(d *pubsub.Dispatch) bool {
	m := memoOf(d)
	if !m.checked {
		m.checked = true
		m.unsound = !event.Sound(d.Event, d.Payload, d.Binary)
		if m.unsound {
			n.sayUnsound(d)
		}
	}
	return !m.unsound
}

// sayUnsound counts and logs a message of another node that is dropped because it is not valid.
func (n *node) sayUnsound(d *pubsub.Dispatch) {
	n.book.Say(notice.Unsound, notice.Foreign("topic", d.Topic), notice.Foreign("event", d.Event), slog.Int("bytes", len(d.Payload)))
}

// publish sends a broadcast to all nodes, to every subscriber except from, which may be nil. On a topic
// that has a history it returns when the store has the message. If the message is too large for a
// mount whose clients may join its topic, nobody gets it, and the error is an ErrTooLarge.
func (n *node) publish(from pubsub.Subscriber, m *pubsub.Message) error {
	if err := n.fits(m); err != nil {
		return err
	}
	if n.keepsMessage(m) {
		_, err := n.append(context.Background(), m, follow.PublishOptions{From: n.senderOf(from, m.Topic)})
		return err
	}
	if m.Event == reserved.EventDisconnect && n.pubsub.Node() != "" {
		n.disconnects.listen(n) // other nodes may ask for disconnects that they have missed
		n.disconnects.own.add(m.Topic)
	}
	return n.pubsub.BroadcastFrom(from, m)
}
