package bennu

import (
	"context"
	"errors"
	"log/slog"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Reply is an answer with a status of your choice. As the Out of a handler it decides at run time
// whether to reply; the zero Reply is no reply.
type Reply struct {
	// Status is "ok" or "error" by convention; clients can listen for any other. In the Out of a
	// handler, an empty Status beside a Response means "ok". A Reply of Instance.HandleIn without a
	// Status is not sent.
	Status string
	// Response is a Payload, a []byte for a binary reply, or any value that encodes to JSON. nil is
	// the empty object.
	Response any
}

// Ref is the address of a later reply: it identifies a message of the client. It may be used from
// any goroutine, any number of times; stock clients see only the first reply. After the channel has
// ended, replies fail with ErrClosed.
type Ref struct {
	ch  *Channel
	ref wire.Ref
}

// ReplyRef returns the Ref of the message that the handler with this context handles, so that the
// reply can be sent later. The Out of that handler should be NoReply. It returns nil for any other
// context.
func ReplyRef(ctx context.Context) *Ref {
	h, _ := ctx.Value(handlerKey{}).(*handlerContext)
	if h == nil || h.kind != itemIn {
		return nil
	}
	return &Ref{ch: h.ch, ref: h.ref}
}

// Reply answers with status "ok". The error is ErrNoRef if the client wants no reply, or if
// ReplyRef returned nil.
func (r *Ref) Reply(response any) error { return r.ReplyStatus(protocol.StatusOK, response) }

// Refuse answers with status "error" and the response of e. A nil e has the response {}.
func (r *Ref) Refuse(e *Error) error { return r.ReplyStatus(protocol.StatusError, errorResponse(e)) }

// ReplyStatus answers with any status. For response see Reply; for errors see Channel.Push.
func (r *Ref) ReplyStatus(status string, response any) error {
	if r == nil || r.ch == nil || r.ref.IsNull() {
		return ErrNoRef
	}
	return r.ch.reply(r.ref, Reply{Status: status, Response: response})
}

// errorReason is the response of an error reply, as Phoenix writes it.
type errorReason struct {
	Reason string `json:"reason"`
	Field  string `json:"field,omitempty"`
}

// errorResponse returns the response that an Error stands for.
func errorResponse(e *Error) any {
	switch {
	case e == nil:
		return Empty{}
	case nils.Is(e.Response):
		return errorReason{Reason: e.Reason}
	}
	return e.Response
}

// Responses of the library. Clients may compare the reasons, so they must not change.
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

// reply queues a reply of the socket itself. A reply that the client cannot get becomes an error
// that says so. If that does not encode either, the connection closes: the client would wait in
// vain.
func (s *Socket) reply(m *wire.Message, joinRef wire.Ref, status string, response Payload) {
	f, err := s.replyFrame(m, joinRef, status, response)
	if err == nil {
		// A frame may be too large by its response, or by an odd topic.
		if err = s.at(m.Topic, m.Event).checkFrame(f); err != nil && m.OddTopic == "" {
			f, err = s.replyFrame(m, joinRef, protocol.StatusError, refusalOf(err))
		}
	}
	if err != nil {
		s.at(m.Topic, m.Event).say(notice.NotEncoded, slog.String("error", textOf(err)), slog.Int("code", int(transport.CloseInternalError)))
		s.close(transport.CloseInternalError, err)
		return
	}
	s.conn.Send(f)
}

// errorReply returns the reply to a message whose handler returned err, and logs err. The client is
// told only of an *Error and of the fault in a payload; any other error becomes "internal". over
// says that the channel has ended meanwhile.
func (s *Socket) errorReply(at place, err error, over bool) Reply {
	told := pointerIn[Error](err)
	invalid, isInvalid := errors.AsType[*payloadError](err)
	switch {
	case told != nil:
		return Reply{Status: protocol.StatusError, Response: errorResponse(told)}
	case errors.Is(err, ErrTooLarge), errors.Is(err, noBinary{}): // logged where it was found
		s.observe(at.topic, err)
		return Reply{Status: protocol.StatusError, Response: refusalOf(err)}
	case isInvalid:
		s.observe(at.topic, err)
		at.say(notice.InvalidPayload, notice.Foreign("field", invalid.field))
		// Only at debug level: the text may quote the payload.
		s.node.log.Log(slog.LevelDebug, "why a payload is invalid", at.with(slog.String("error", textOf(err)))...)
		return Reply{Status: protocol.StatusError, Response: errorReason{Reason: "invalid payload", Field: invalid.field}}
	}
	s.observe(at.topic, err)
	if over { // such errors are expected: its pushes fail and its context is cancelled
		at.say(notice.LateHandler, slog.String("error", textOf(err)))
	} else {
		at.say(notice.HandlerFailed, slog.String("error", textOf(err)))
	}
	return Reply{Status: protocol.StatusError, Response: errInternal}
}

// reply answers the client's message with this ref.
func (c *Channel) reply(ref wire.Ref, r Reply) error {
	f, err := c.replyFrame(ref, r)
	if err != nil {
		return err
	}
	if err := c.at(nil).checkFrame(f); err != nil {
		return err
	}
	return c.emit(f)
}

// lastReply returns the reply of a handler that ends its channel: the *Error in err if there is
// one, otherwise the handler's own reply.
func lastReply(reply Reply, err error) Reply {
	if told := pointerIn[Error](err); told != nil {
		return Reply{Status: protocol.StatusError, Response: errorResponse(told)}
	}
	return reply
}
