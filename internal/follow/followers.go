package follow

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// Options configure New. All fields are required.
type Options struct {
	PubSub     *pubsub.PubSub
	Source     Source
	Topic      func(name string) *Topic // nil for a topic that is not kept
	Check      time.Duration            // between two comparisons of heads with the store
	Linger     time.Duration            // how long a follower stays after its last subscription
	CacheBytes int                      // entries in memory, of all topics
	Book       *notice.Book
}

// Followers are the followers of one node. All methods may be called from any goroutine.
type Followers struct{}

// New returns followers. Close ends them.
func New(o *Options) *Followers { panic("follow: not written yet") }

// Close ends all followers and waits for their goroutines, as far as ctx allows. Subscribers get
// nothing more.
func (f *Followers) Close(ctx context.Context) error { panic("follow: not written yet") }

// Stats are the counters of the followers. Topics, Entries and Bytes are of this moment.
type Stats struct {
	Topics, Entries, Bytes                  int
	Repairs, Filled, Reads, Rotations, Late int64
}

// Stats returns the counters.
func (f *Followers) Stats() Stats { panic("follow: not written yet") }

// Breaker is a Subscriber that is told when the log of its topic has broken: the store has lost
// entries that subscribers have. No entry follows the old position; the next one follows p.
type Breaker interface {
	Broke(p Position)
}

// Subscribe subscribes s to a topic, which is kept. Deliver gets the entries in order, each once, with
// d.Place set and the *Entry in d.Memo; one goroutine calls it at a time for these. It also gets
// messages without a place, such as those of LocalBroadcast, from any goroutine. Neither is delivered
// while a lock of this package is held. s may implement Breaker.
func (f *Followers) Subscribe(topic string, s pubsub.Subscriber) *Subscription {
	panic("follow: not written yet")
}
