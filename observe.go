package bennu

import (
	"context"

	"github.com/bennu-go/bennu/internal/ability"
)

// A receiver has these abilities; see package ability.
var (
	_ ability.Describer = (*receiver)(nil)
	_ ability.Completer = (*receiver)(nil)
	_ ability.Idler     = (*receiver)(nil)
)

// observe tells the connection of a callback's error, if it wants to know.
func (s *Socket) observe(topic string, err error) {
	if o, ok := s.conn.(ability.Observer); ok {
		o.CallbackFailed(topic, err)
	}
}

// AwaitIdle implements ability.Idler. Everything received on any connection of the endpoint is
// handled then, with all that this brought about on others. Goroutines of Channel.Go and messages
// of other nodes are not waited for.
func (r *receiver) AwaitIdle(ctx context.Context) error {
	return r.node.tasks.Wait(ctx)
}

// AwaitHandled implements ability.Idler.
func (r *receiver) AwaitHandled(ctx context.Context, topic string) {
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
