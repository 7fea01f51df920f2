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

// deliver gives a message to the subscriptions of a snapshot.
func (f *follower) deliver(s *snapshot, d *pubsub.Dispatch) {
	f.each(s, func(sub pubsub.Subscriber) { sub.Deliver(d) })
}

// broke tells the subscriptions of a snapshot that the log has broken.
func (f *follower) broke(s *snapshot, p Position) {
	f.each(s, func(sub pubsub.Subscriber) {
		if b, ok := sub.(Breaker); ok {
			b.Broke(p)
		}
	})
}

// each calls do with the subscribers of a snapshot, and frees it. If one panics, that is logged, and the
// others still have their turn: they could not tell that they have missed something.
func (f *follower) each(s *snapshot, do func(pubsub.Subscriber)) {
	for next := 0; next < len(s.list); {
		next = f.eachFrom(s.list, next, do)
	}
	s.free()
}

// eachFrom is each from a place in the list on, up to the end or behind one that has panicked.
func (f *follower) eachFrom(list []*Subscription, next int, do func(pubsub.Subscriber)) (rest int) {
	rest = next
	defer func() {
		if v := recover(); v != nil {
			f.all.sayPanic(f.name, v)
			rest++
		}
	}()
	for ; rest < len(list); rest++ {
		do(list[rest].subscriber)
	}
	return rest
}

// free clears the snapshot, which must not keep subscriptions in memory, and lets others use it.
func (s *snapshot) free() {
	clear(s.list)
	s.dispatch = pubsub.Dispatch{}
	snapshots.Put(s)
}
