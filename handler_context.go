package bennu

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/wire"
)

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

// handlerContext makes the context of the callback for an item.
func (c *Channel) handlerContext(it *item) *handlerContext {
	return &handlerContext{ch: c, ref: it.ref, event: eventOf(it), kind: it.kind}
}

// context is what stands behind every handler's context. It is made when a handler
// first looks at its own: most do not.
func (c *Channel) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.extra()
	if x.ctx == nil {
		x.ctx, x.cancel = context.WithCancelCause(context.Background())
		if c.state >= closed {
			x.cancel(x.reason)
		}
	}
	return x.ctx
}
