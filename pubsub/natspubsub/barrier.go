package natspubsub

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// barrier waits until everything that NATS complained of so far was handed on. The client
// hands complaints on one after the other, and a message for which its subscription has no
// room is one of them.
type barrier struct {
	subject string
	room    chan *nats.Msg // for one message
	passed  chan struct{}  // gets the complaint about a second one

	mu  sync.Mutex // held while one waits; sub is changed under it
	sub atomic.Pointer[nats.Subscription]
}

func newBarrier(subject string) *barrier {
	return &barrier{subject: subject, room: make(chan *nats.Msg, 1), passed: make(chan struct{}, 1)}
}

// renew subscribes anew. It comes before any other subscription, which may be the last that
// NATS lets the connection have.
func (b *barrier) renew(conn *nats.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked()
	if sub, err := conn.ChanSubscribe(b.subject, b.room); err == nil { // otherwise the connection is gone
		b.sub.Store(sub)
	}
}

func (b *barrier) dropLocked() {
	if sub := b.sub.Swap(nil); sub != nil {
		_ = sub.Unsubscribe() // fails on a connection that is gone
	}
}

// dropped reports whether renew is due, because a wait was cut short.
func (b *barrier) dropped() bool { return b.sub.Load() == nil }

// wait reports false if there is no telling.
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
	b.dropLocked() // what is under way must not be taken for the next
	return false
}

// pass takes the complaint about a message without room. One of an earlier subscription may
// come late.
func (b *barrier) pass(sub *nats.Subscription) {
	if sub != b.sub.Load() {
		return
	}
	select {
	case b.passed <- struct{}{}:
	default:
	}
}

func empty[T any](c chan T) {
	select {
	case <-c:
	default:
	}
}
