package natspubsub

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// barrier waits until the client library has passed to the link all errors that NATS has sent so far.
// The library calls the error handler for one error after the other, and also when a subscription has no
// room for a message. So the barrier publishes two messages to a subscription with room for one. When
// the handler is called for the second message, it has been called for all earlier errors.
type barrier struct {
	subject string
	room    chan *nats.Msg // takes the first message
	passed  chan struct{}  // has a value after the error about the second one

	mu  sync.Mutex // held during wait and renew; sub is changed under it
	sub atomic.Pointer[nats.Subscription]
}

// newBarrier makes a barrier. renew subscribes it.
func newBarrier(subject string) *barrier {
	return &barrier{subject: subject, room: make(chan *nats.Msg, 1), passed: make(chan struct{}, 1)}
}

// renew subscribes again. It must be the first subscription of a connection, since NATS may limit
// their number.
func (b *barrier) renew(conn *nats.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked()
	if sub, err := conn.ChanSubscribe(b.subject, b.room); err == nil { // fails if the connection is lost
		b.sub.Store(sub)
	}
}

// dropLocked ends the subscription.
func (b *barrier) dropLocked() {
	if sub := b.sub.Swap(nil); sub != nil {
		_ = sub.Unsubscribe() // fails on a connection that is gone
	}
}

// dropped reports whether there is no subscription, because a wait did not end in time. The caller has to
// call renew.
func (b *barrier) dropped() bool { return b.sub.Load() == nil }

// wait waits until all errors so far were passed to the link. It returns false if it cannot know: ctx has
// ended, the connection is lost, or NATS refuses the subject.
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
	b.dropLocked() // a message that is still on the way must not end the next wait
	return false
}

// pass ends a wait. The error handler calls it for an error about a message without room. The error may be
// about an earlier subscription; then it is ignored.
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
