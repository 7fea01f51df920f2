package bennu

import (
	"context"
	"errors"
	"log/slog"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Reply is an answer with a status of your choice. As the Out of a handler it
// decides at run time: the zero Reply is no reply.
type Reply struct {
	// Status is "ok" or "error" by convention; clients can listen for any other.
	// Empty beside a Response it is "ok".
	Status string
	// Response is what Payload describes, or any value that encodes to JSON. nil
	// is the empty object.
	Response any
}

// Ref remembers which message of the client a reply belongs to. It may be used
// from any goroutine, any number of times; the stock clients see only the
// first reply. After the channel has ended, replies are discarded with ErrClosed.
type Ref struct {
	ch  *Channel
	ref wire.Ref
}

// ReplyRef keeps the reply to the message being handled for later. The handler
// it is called in should have NoReply as its Out. It returns nil for a
// context that is not that of a handler for an event from the client.
func ReplyRef(ctx context.Context) *Ref {
	h, _ := ctx.Value(handlerKey{}).(*handlerContext)
	if h == nil || h.kind != itemIn {
		return nil
	}
	return &Ref{ch: h.ch, ref: h.ref}
}

// Reply answers with status "ok". ErrNoRef says that the client wants no answer, or that
// ReplyRef returned nil.
func (r *Ref) Reply(response any) error { return r.ReplyStatus(wire.StatusOK, response) }

// Refuse answers with status "error". The response to a nil e is {}.
func (r *Ref) Refuse(e *Error) error { return r.ReplyStatus(wire.StatusError, errorResponse(e)) }

// ReplyStatus answers with any status.
func (r *Ref) ReplyStatus(status string, response any) error {
	if r == nil || r.ch == nil || r.ref.IsNull() {
		return ErrNoRef
	}
	return r.ch.reply(r.ref, Reply{Status: status, Response: response})
}

// errorReason is the response of an error reply.
type errorReason struct {
	Reason string `json:"reason"`
	Field  string `json:"field,omitempty"`
}

func errorResponse(e *Error) any {
	switch {
	case e == nil:
		return Empty{}
	case nils.Is(e.Response):
		return errorReason{Reason: e.Reason}
	}
	return e.Response
}

// Responses of the socket itself.
var (
	unmatchedTopic  = Payload{Data: []byte(`{"reason":"unmatched topic"}`)}
	tooManyChannels = Payload{Data: []byte(`{"reason":"too many channels joined"}`)}
	tooManyJoins    = Payload{Data: []byte(`{"reason":"too many joins"}`)}
	busy            = Payload{Data: []byte(`{"reason":"busy"}`)}
	joinCrashed     = Payload{Data: []byte(`{"reason":"join crashed"}`)}
	tooLargeToSend  = Payload{Data: []byte(`{"reason":"too large"}`)}
	bytesToSend     = Payload{Data: []byte(`{"reason":"no binary"}`)}
	invalidPayload  = Payload{Data: []byte(`{"reason":"invalid payload"}`)}
	emptyPayload    = Payload{Data: emptyObject}

	errInternal = errorReason{Reason: "internal"}
)

// reply queues a reply of the socket itself.
func (s *Socket) reply(m *wire.Message, joinRef wire.Ref, status string, response Payload) {
	f, err := s.replyFrame(m, joinRef, status, response)
	if err == nil && !s.takes(f) { // over the response, or over a topic that is no name
		err = s.at(m.Topic, m.Event).refuse(f)
		if m.OddTopic == "" {
			f, err = s.replyFrame(m, joinRef, wire.StatusError, refusalOf(err))
		}
	}
	if err != nil {
		s.at(m.Topic, m.Event).say(notice.NotEncoded, slog.String("error", textOf(err)), slog.Int("code", int(transport.CloseInternalError)))
		s.close(transport.CloseInternalError, err)
		return
	}
	s.conn.Send(f)
}

// errorReply is the reply to a message whose handler returned err. Only an
// Error and what is wrong with a payload are told; the rest is logged. Over says that the
// channel has ended meanwhile.
func (s *Socket) errorReply(at place, err error, over bool) Reply {
	told := pointerIn[Error](err)
	invalid, isInvalid := errors.AsType[*payloadError](err)
	switch {
	case told != nil:
		return Reply{Status: wire.StatusError, Response: errorResponse(told)}
	case errors.Is(err, ErrTooLarge), errors.Is(err, noBinary{}): // which was said
		s.observe(at.topic, err)
		return Reply{Status: wire.StatusError, Response: refusalOf(err)}
	case isInvalid:
		s.observe(at.topic, err)
		at.say(notice.InvalidPayload, notice.Foreign("field", invalid.field))
		// The text may quote the payload.
		s.node.log.Log(slog.LevelDebug, "why a payload is invalid", at.with(slog.String("error", textOf(err)))...)
		return Reply{Status: wire.StatusError, Response: errorReason{Reason: "invalid payload", Field: invalid.field}}
	}
	s.observe(at.topic, err)
	if over { // its pushes and its context fail as a matter of course
		at.say(notice.LateHandler, slog.String("error", textOf(err)))
	} else {
		at.say(notice.HandlerFailed, slog.String("error", textOf(err)))
	}
	return Reply{Status: wire.StatusError, Response: errInternal}
}

// reply answers the message with this ref.
func (c *Channel) reply(ref wire.Ref, r Reply) error {
	f, err := c.replyFrame(ref, r)
	if err != nil {
		return err
	}
	if !c.socket.takes(f) {
		return c.at(nil).refuse(f)
	}
	return c.emit(f)
}

// lastReply is the reply of a handler that ends its channel: its Out, unless it
// has an Error for the client.
func lastReply(reply Reply, err error) Reply {
	if told := pointerIn[Error](err); told != nil {
		return Reply{Status: wire.StatusError, Response: errorResponse(told)}
	}
	return reply
}

// refusalOf is what a client is told in place of a reply that it cannot get.
func refusalOf(err error) Payload {
	if errors.Is(err, noBinary{}) {
		return bytesToSend
	}
	return tooLargeToSend
}
