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

// newMessage makes a broadcast. It is checked here, where the caller can be told, and not at the
// subscribers, of whom some could take it and others not. The topic can be almost anything: on
// one that no client can join there is nobody.
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

// broadcastOf is a message as handlers get it.
func broadcastOf(m *pubsub.Message) Broadcast {
	return Broadcast{Topic: m.Topic, Event: m.Event, Payload: Payload{Data: m.Payload, Binary: m.Binary}}
}

// memo caches what is the same for all subscribers of one dispatch: the check of a message from
// another node, and one frame per serializer.
type memo struct {
	checked, unsound bool
	refused          error // logged, and returned: the frame is larger than a client can get
	// There are seldom more than two serializers, so a list is all it takes.
	frames []encoding
}

// encoding is a broadcast for the clients of one serializer.
type encoding struct {
	serializer wire.Serializer
	frame      transport.Frame
	ok         bool // the serializer can carry it
}

func memoOf(d *pubsub.Dispatch) *memo {
	m, _ := d.Memo.(*memo)
	if m == nil {
		m = new(memo)
		d.Memo = m
	}
	return m
}

// frameFor encodes a broadcast for a socket's serializer, unless that is done already. A
// serializer that cannot carry this broadcast leaves out its own subscribers and no others.
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

func broadcastFrame(s wire.Serializer, b *wire.Broadcast) (transport.Frame, error) {
	size := envelope + len(b.Topic) + len(b.Event) + len(b.Payload.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendBroadcast(dst, b) })
}

// sound reports whether a broadcast is one that this node would have taken from its own program:
// others can write to a broker, and what they write must not get into a frame unseen.
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

// sayUnsound counts and logs a message of another node that is dropped because it cannot be read.
func (n *node) sayUnsound(d *pubsub.Dispatch) {
	n.book.Say(notice.Unsound, notice.Foreign("topic", d.Topic), notice.Foreign("event", d.Event), slog.Int("bytes", len(d.Payload)))
}

// isJSON reports whether bytes are JSON text as a program may broadcast it: its values may be
// more and deeper than those of a client.
func isJSON(text []byte) bool {
	_, err := jsontext.Compact(text)
	return err == nil || errors.Is(err, jsontext.ErrTooDeep) && json.Valid(text)
}

// publish sends a broadcast to all nodes, or to nobody: what a client that may be on its topic
// cannot get is refused.
func (n *node) publish(from pubsub.Subscriber, m *pubsub.Message) error {
	if err := n.fits(m); err != nil {
		return err
	}
	if m.Event == EventDisconnect && n.pubsub.Node() != "" {
		n.disconnects.listen(n) // for nodes that ask for what they have missed
		n.disconnects.own.add(m.Topic)
	}
	return n.pubsub.BroadcastFrom(from, m)
}
