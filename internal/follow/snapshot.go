package follow

import (
	"sync"

	"github.com/bennu-go/bennu/pubsub"
)

// snapshot is the list of subscriptions at a moment. It is used again.
type snapshot struct {
	list     []*Subscription
	dispatch pubsub.Dispatch
}

var snapshots = sync.Pool{New: func() any { return new(snapshot) }}

// snapshot copies the list of subscriptions, so that they can be called without the lock. The caller
// holds f.mu, and calls deliver.
func (f *follower) snapshot() *snapshot {
	s := snapshots.Get().(*snapshot)
	s.list = append(s.list[:0], f.subs...)
	return s
}

// deliver gives a message to the subscriptions.
func (s *snapshot) deliver(d *pubsub.Dispatch) {
	for _, sub := range s.list {
		sub.subscriber.Deliver(d)
	}
	s.free()
}

// broke tells the subscriptions that the log has broken.
func (s *snapshot) broke(p Position) {
	for _, sub := range s.list {
		if b, ok := sub.subscriber.(Breaker); ok {
			b.Broke(p)
		}
	}
	s.free()
}

// free clears the snapshot, which must not keep subscriptions in memory, and lets others use it.
func (s *snapshot) free() {
	clear(s.list)
	s.dispatch = pubsub.Dispatch{}
	snapshots.Put(s)
}
