package bennu

import (
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// This file makes all frames but those of broadcasts, which are made once for many clients; see
// broadcast.go.

// frame seals what a serializer appends. One of the application's own may panic, and must not
// end its caller, who may be a publisher.
func frame(size int, appendTo func(dst []byte) (wire.Opcode, []byte, error)) (f transport.Frame, err error) {
	defer func() {
		if v := recover(); v != nil {
			f, err = transport.Frame{}, newPanicError(v)
		}
	}()
	buf := make([]byte, seam.Headroom, seam.Headroom+size)
	op, buf, err := appendTo(buf)
	if err != nil {
		return transport.Frame{}, err
	}
	return seam.Seal(op, buf), nil
}

// envelope is a little more than the bytes that stand around a payload, names aside.
const envelope = 64

func replyFrame(s wire.Serializer, r *wire.Reply) (transport.Frame, error) {
	size := envelope + len(r.JoinRef) + len(r.Ref) + len(r.Topic) + len(r.OddTopic) + len(r.Status) + len(r.Response.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendReply(dst, r) })
}

func pushFrame(s wire.Serializer, p *wire.Push) (transport.Frame, error) {
	size := envelope + len(p.JoinRef) + len(p.Ref) + len(p.Topic) + len(p.Event) + len(p.Payload.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendPush(dst, p) })
}

// replyFrame makes the socket's own reply to a message.
func (s *Socket) replyFrame(m *wire.Message, joinRef wire.Ref, status string, response Payload) (transport.Frame, error) {
	return replyFrame(s.serializer, &wire.Reply{
		JoinRef: joinRef, Ref: m.Ref, Topic: m.Topic, OddTopic: m.OddTopic, Status: status, Response: response,
	})
}

// pushFrame makes a push of the channel.
func (c *Channel) pushFrame(event string, p Payload) (transport.Frame, error) {
	return pushFrame(c.socket.serializer, &wire.Push{JoinRef: c.joinRef, Topic: c.topic, Event: event, Payload: p})
}

// replyFrame makes the channel's reply to the message with this ref.
func (c *Channel) replyFrame(ref wire.Ref, r Reply) (transport.Frame, error) {
	p, err := encode(r.Response)
	if err != nil {
		return transport.Frame{}, err
	}
	return replyFrame(c.socket.serializer, &wire.Reply{JoinRef: c.joinRef, Ref: ref, Topic: c.topic, Status: r.Status, Response: p})
}

// lastReplyFrame is replyFrame for a handler that has returned: a reply that its client cannot get
// becomes an error that says so.
func (c *Channel) lastReplyFrame(at place, ref wire.Ref, r Reply) (transport.Frame, error) {
	f, err := c.replyFrame(ref, r)
	if err == nil && !c.socket.takes(f) {
		f, err = c.replyFrame(ref, Reply{Status: wire.StatusError, Response: refusalOf(at.refuse(f))})
	}
	return f, err
}

// endFrame makes a phx_close or phx_error: both its refs are the join_ref as the client sent it,
// by which a client tells an old instance from a new one.
func (c *Channel) endFrame(event string, payload []byte) (transport.Frame, error) {
	return pushFrame(c.socket.serializer, &wire.Push{
		JoinRef: c.tableRef(), Ref: c.tableRef(), Topic: c.topic, Event: event, Payload: Payload{Data: payload},
	})
}
