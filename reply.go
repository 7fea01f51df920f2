package bennu

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
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

// handlerContext is the context of one callback. It is a type of its own so that a
// message costs one allocation, and a channel whose handlers do not look at
// theirs none for a context that can be cancelled.
type handlerContext struct {
	ch    *Channel
	ref   wire.Ref
	event string // as eventOf has it, for the log
	kind  itemKind
}

type handlerKey struct{}

// Deadline implements context.Context.
func (h *handlerContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (h *handlerContext) Done() <-chan struct{} { return h.ch.context().Done() }

// Err implements context.Context.
func (h *handlerContext) Err() error { return h.ch.context().Err() }

// Value implements context.Context. What is behind it has the cause, and tells it
// by a key of its own.
func (h *handlerContext) Value(key any) any {
	if key == (handlerKey{}) {
		return h
	}
	return h.ch.context().Value(key)
}
