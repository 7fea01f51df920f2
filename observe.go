package bennu

import (
	"context"

	"github.com/bennu-go/bennu/wire"
)

// observer is a connection that is told what its client is not, so that a test can say
// why a channel crashed: package channeltest has one. The methods are called under
// locks, and so must not block, nor call back.
type observer interface {
	// ChannelEnded gives the reason of an end, before the client hears of it. The
	// join_ref is as the client sent it.
	ChannelEnded(topic string, joinRef wire.Ref, reason error)
	// CallbackFailed gives an error in place of which the client is told "internal" or
	// "invalid payload", or nothing. A *PanicError is one of Terminate, or of whatever
	// still ran after its channel had ended.
	CallbackFailed(topic string, err error)
}

// observe tells the connection of a callback's error, if it wants to know.
func (s *Socket) observe(topic string, err error) {
	if o, ok := s.conn.(observer); ok {
		o.CallbackFailed(topic, err)
	}
}

// Idle waits for a moment when no callback of the endpoint runs and none has anything
// to do. What was received on any of its connections is handled then, with all that
// this brought about on others; goroutines of Channel.Go and messages of other nodes
// are not waited for.
func (r *receiver) Idle(ctx context.Context) error {
	return r.node.tasks.Wait(ctx)
}

// Handled waits until the channel of a topic has handled what is in its mailbox now, or has
// ended.
func (r *receiver) Handled(ctx context.Context, topic string) {
	c := (*Socket)(r).find(topic)
	if c == nil {
		return
	}
	done, ended := make(chan struct{}), make(chan struct{})
	c.AfterEnd(func() { close(ended) })
	c.mu.Lock()
	if c.state < closed {
		c.box.push(item{kind: itemFence, info: done})
		c.startLocked()
	}
	c.mu.Unlock()
	select {
	case <-done:
	case <-ended:
	case <-ctx.Done():
	}
}
