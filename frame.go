package bennu

import (
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// This file makes all frames except those of broadcasts, which are made once for many clients; see
// broadcast.go.

// frame returns the frame of the message that appendTo appends. size is an estimate of its bytes. A
// panic in a serializer of the application becomes an error: the caller may be a publisher, and has
// nothing to do with it.
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

// envelope bounds the bytes of a message around its names and its payload: brackets, quotes and
// commas.
const envelope = 64

// replyFrame returns the frame of a reply.
func replyFrame(s wire.Serializer, r *wire.Reply) (transport.Frame, error) {
	size := envelope + len(r.JoinRef) + len(r.Ref) + len(r.Topic) + len(r.OddTopic) + len(r.Status) + len(r.Response.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendReply(dst, r) })
}

// pushFrame returns the frame of a push.
func pushFrame(s wire.Serializer, p *wire.Push) (transport.Frame, error) {
	size := envelope + len(p.JoinRef) + len(p.Ref) + len(p.Topic) + len(p.Event) + len(p.Payload.Data)
	return frame(size, func(dst []byte) (wire.Opcode, []byte, error) { return s.AppendPush(dst, p) })
}

// replyFrame returns the frame of the socket's own reply to a message.
func (s *Socket) replyFrame(m *wire.Message, joinRef wire.Ref, status string, response Payload) (transport.Frame, error) {
	return replyFrame(s.serializer, &wire.Reply{
		JoinRef: joinRef, Ref: m.Ref, Topic: m.Topic, OddTopic: m.OddTopic, Status: status, Response: response,
	})
}

// pushFrame returns the frame of a push of the channel.
func (c *Channel) pushFrame(event string, p Payload) (transport.Frame, error) {
	return pushFrame(c.socket.serializer, &wire.Push{JoinRef: c.joinRef, Topic: c.topic, Event: event, Payload: p})
}

// replyFrame returns the frame of the channel's reply to the message with this ref.
func (c *Channel) replyFrame(ref wire.Ref, r Reply) (transport.Frame, error) {
	p, err := encode(r.Response)
	if err != nil {
		return transport.Frame{}, err
	}
	return replyFrame(c.socket.serializer, &wire.Reply{JoinRef: c.joinRef, Ref: ref, Topic: c.topic, Status: r.Status, Response: p})
}

// handlerReplyFrame is replyFrame for a handler that has returned, and so cannot get an error. If
// the client cannot receive the reply, the result is an error reply that says so.
func (c *Channel) handlerReplyFrame(at place, ref wire.Ref, r Reply) (transport.Frame, error) {
	f, err := c.replyFrame(ref, r)
	if err != nil {
		return f, err
	}
	if fault := at.checkFrame(f); fault != nil {
		return c.replyFrame(ref, Reply{Status: protocol.StatusError, Response: refusalOf(fault)})
	}
	return f, nil
}

// endFrame returns the frame of a phx_close or phx_error. Both its refs are the join_ref as the
// client sent it, by which a client tells an earlier join from the current one.
func (c *Channel) endFrame(event string, payload []byte) (transport.Frame, error) {
	return pushFrame(c.socket.serializer, &wire.Push{
		JoinRef: c.tableRef(), Ref: c.tableRef(), Topic: c.topic, Event: event, Payload: Payload{Data: payload},
	})
}
