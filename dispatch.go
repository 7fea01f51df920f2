package bennu

import (
	"errors"
	"log/slog"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/kept"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// handle decodes and dispatches one frame. Only the goroutine that has the turn of the connection
// calls it, so frames are handled in the order in which they came. The result is a join to carry
// out, or a channel: the connection must not read on before that is closed.
func (s *Socket) handle(op wire.Opcode, data []byte) (*joinCall, <-chan struct{}) {
	m, err := s.decode(op, data)
	switch {
	case err == nil:
	case (m.Topic != "" || m.OddTopic != "") && m.Topic != protocol.TopicPhoenix: // on "phoenix" Phoenix closes
		return s.refuse(&m, err)
	default:
		s.at("", "").say(notice.Malformed, append(s.faultOf(err), slog.Int("code", int(transport.CloseInternalError)))...)
		s.close(transport.CloseInternalError, err)
		return nil, nil
	}
	// A handler may keep the payload for long, and must not keep a large frame alive with it.
	m.Payload.Data = kept.Piece(m.Payload.Data, data)
	return s.dispatch(&m)
}

// refuse answers a message whose frame is sound but whose content is not: it has too many values,
// or text that is not UTF-8. If the client waits for a reply, it gets an error. Otherwise the
// channel ends with phx_error, so that the client knows. A leave is still carried out.
func (s *Socket) refuse(m *wire.Message, fault error) (*joinCall, <-chan struct{}) {
	at := s.at(m.Topic, m.Event)
	at.say(notice.Unwelcome, s.faultOf(fault)...)
	if m.Event == protocol.EventLeave {
		m.Payload = emptyPayload // a leave has no use for it
		return s.dispatch(m)
	}
	var c *Channel
	if m.OddTopic == "" {
		c = s.find(m.Topic)
	}
	switch {
	case m.Event == protocol.EventJoin:
		s.reply(m, m.JoinRef, protocol.StatusError, invalidPayload)
	case c == nil:
		s.reply(m, "", protocol.StatusError, unmatchedTopic)
	case c.isStale(m):
		at.say(notice.StaleRef) // without an answer; see deliver
	case !m.Ref.IsNull():
		_ = c.reply(m.Ref, Reply{Status: protocol.StatusError, Response: invalidPayload}) // fails only after the channel's end
	default:
		if c.endWithError(fault) {
			s.node.stats.crashes.Add(1)
		}
	}
	return nil, nil
}

// faultOf returns the log attributes of a message that does not decode: the error, and the limit if
// it exceeds one.
func (s *Socket) faultOf(fault error) []slog.Attr {
	attrs := []slog.Attr{slog.String("error", textOf(fault))}
	switch {
	case errors.Is(fault, jsontext.ErrTooDeep):
		attrs = append(attrs, slog.Int("limit", jsontext.MaxDepth))
	case errors.Is(fault, jsontext.ErrTooManyTokens):
		// 0 stands for the default, below.
		tokens := jsontext.MaxTokens
		if b, ok := s.serializer.(ability.TokenBounded); ok {
			tokens = b.MaxTokens()
		}
		attrs = append(attrs, slog.Int("limit", tokens))
	}
	return attrs
}

// decode decodes a frame with the serializer of the connection. A panic in a serializer of the
// application becomes an error.
func (s *Socket) decode(op wire.Opcode, data []byte) (m wire.Message, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return s.serializer.Decode(op, data)
}

// dispatch acts on a message as the protocol says: it answers heartbeats, begins joins, renews
// authentication, and gives all others to the channel of their topic. Replies of the socket itself
// to a heartbeat or an unknown topic have a null join_ref: then clients always deliver them to the
// push that waits.
func (s *Socket) dispatch(m *wire.Message) (*joinCall, <-chan struct{}) {
	if m.Topic == protocol.TopicPhoenix && m.Event == protocol.EventHeartbeat {
		s.reply(m, "", protocol.StatusOK, emptyPayload)
		return nil, nil
	}
	var c *Channel
	if m.OddTopic == "" {
		c = s.find(m.Topic)
	}
	if m.Event == protocol.EventJoin {
		return s.newJoin(m, c), nil
	}
	// Renewals come before channels: eventAccessToken reaches no handler if there is a Renew.
	if s.renew(m, c) {
		return nil, nil
	}
	if c != nil {
		// If it has ended at this moment, the message is answered as one to a topic that is not
		// joined.
		if alive, resume := s.deliver(c, m); alive {
			return nil, resume
		}
	}
	if m.Event == protocol.EventLeave {
		s.hasLeft(m.Topic)
		s.reply(m, m.JoinRef, protocol.StatusOK, emptyPayload)
	} else {
		s.at(m.Topic, m.Event).say(notice.NotJoined)
		s.reply(m, "", protocol.StatusError, unmatchedTopic)
	}
	return nil, nil
}

// deliver gives a message to the channel of its topic. alive is false when the channel has ended. A
// message with the join_ref of an earlier join is dropped without an answer, which the client would
// match to a newer push.
func (s *Socket) deliver(c *Channel, m *wire.Message) (alive bool, resume <-chan struct{}) {
	if c.isStale(m) {
		s.at(m.Topic, m.Event).say(notice.StaleRef)
		return true, nil
	}
	if m.Event == protocol.EventLeave {
		return c.receive(item{kind: itemLeave, ref: m.Ref})
	}
	return c.receive(item{kind: itemIn, ref: m.Ref, event: m.Event, payload: m.Payload})
}
