package natspubsub

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// barrier waits until the client library has passed on all errors that NATS has sent so far. The
// library calls the error handler for one error after the other, also when a subscription has no
// room for a message. So the barrier publishes two messages to a subscription with room for one:
// when the handler is called for the second, it has been called for all errors before.
type barrier struct {
	subject string
	room    chan *nats.Msg // takes the first message
	passed  chan struct{}  // has a value after the error about the second one

	mu  sync.Mutex // held during wait and renew; sub is changed under it
	sub atomic.Pointer[nats.Subscription]
}

func newBarrier(subject string) *barrier {
	return &barrier{subject: subject, room: make(chan *nats.Msg, 1), passed: make(chan struct{}, 1)}
}

// renew subscribes again. It must be the first subscription of a connection, since NATS may limit
// their number.
func (b *barrier) renew(conn *nats.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked()
	if sub, err := conn.ChanSubscribe(b.subject, b.room); err == nil { // otherwise the connection is gone
		b.sub.Store(sub)
	}
}

// dropLocked ends the subscription.
func (b *barrier) dropLocked() {
	if sub := b.sub.Swap(nil); sub != nil {
		_ = sub.Unsubscribe() // fails on a connection that is gone
	}
}

// dropped reports whether there is no subscription, because a wait was cut short. Then renew is due.
func (b *barrier) dropped() bool { return b.sub.Load() == nil }

// wait waits until all errors so far were passed on. It returns false if it cannot find out.
func (b *barrier) wait(ctx context.Context, conn *nats.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped() {
		return false
	}
	empty(b.room)
	empty(b.passed)
	for range 2 {
		if conn.Publish(b.subject, nil) != nil {
			return false
		}
	}
	if conn.FlushWithContext(ctx) == nil {
		if len(b.room) == 0 {
			return false // NATS does not let this user have the subject
		}
		select {
		case <-b.passed:
			return true
		case <-ctx.Done():
		}
	}
	b.dropLocked() // messages that are on the way must not count for the next wait
	return false
}

// pass is called for the error about a message without room. The error may be late, and about an
// earlier subscription.
func (b *barrier) pass(sub *nats.Subscription) {
	if sub != b.sub.Load() {
		return
	}
	select {
	case b.passed <- struct{}{}:
	default:
	}
}

// empty removes a value from a channel, if there is one.
func empty[T any](c chan T) {
	select {
	case <-c:
	default:
	}
}
