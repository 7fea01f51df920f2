package bennu

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// handlerContext is the context of one callback. It is a type of its own so that a message costs
// one allocation, and a channel whose handlers do not use their context never makes one that can be
// cancelled.
type handlerContext struct {
	ch    *Channel
	ref   wire.Ref
	event string // the result of eventOf, for the log
	kind  itemKind
	// forwarded says that Forward was called with this context. Channel.mu guards it.
	forwarded bool
}

// handlerKey is the key under which a handlerContext returns itself.
type handlerKey struct{}

// Deadline implements context.Context.
func (h *handlerContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (h *handlerContext) Done() <-chan struct{} { return h.ch.context().Done() }

// Err implements context.Context.
func (h *handlerContext) Err() error { return h.ch.context().Err() }

// Value implements context.Context. All other keys belong to the channel's context, through which
// context.Cause finds the reason of the end.
func (h *handlerContext) Value(key any) any {
	if key == (handlerKey{}) {
		return h
	}
	return h.ch.context().Value(key)
}

// handlerContext returns the context of the callback for an item.
func (c *Channel) handlerContext(it *item) *handlerContext {
	return &handlerContext{ch: c, ref: it.ref, event: eventOf(it), kind: it.kind}
}

// context returns the context of the channel, which is cancelled when the channel ends. All its
// handlers share it. It is made when a handler first uses its own context: most never do.
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
