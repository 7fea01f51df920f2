package follow

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/task"
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
type Followers struct {
	o      Options
	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	tasks  task.Group

	mu     sync.RWMutex
	topics map[string]*follower
	closed bool

	asker   asker
	readers readers
	alarms  alarms
	cache   cache
	watch   watch

	repairs, filled, reads, rotations, late atomic.Int64
}

var errClosed = errors.New("history: the log was closed")

// New returns followers. Close ends them.
func New(o *Options) *Followers {
	f := &Followers{o: *o, topics: make(map[string]*follower)}
	f.ctx, f.cancel = context.WithCancelCause(context.Background())
	f.asker.all, f.readers.all, f.alarms.all, f.cache.all, f.watch.all = f, f, f, f, f
	f.asker.most = askTopics
	f.watch.clock.Store(time.Now().UnixMilli())
	f.tasks.Start(&f.watch)
	return f
}

// PubSub returns the PubSub of the topics, or nil if New did not make f.
func (f *Followers) PubSub() *pubsub.PubSub {
	if f == nil {
		return nil
	}
	return f.o.PubSub
}

// Close ends all followers and waits for their goroutines, as far as ctx allows. Subscribers get
// nothing more, and those that are GapSubscribers are told so.
func (f *Followers) Close(ctx context.Context) error {
	f.mu.Lock()
	topics := f.topics
	f.topics, f.closed = make(map[string]*follower), true
	f.mu.Unlock()

	// First what could begin new work: reads and pauses end with the context, and alarms do not fire any more.
	f.cancel(errClosed)
	f.alarms.close()
	for _, t := range topics {
		t.mu.Lock()
		s := t.snapshot()
		t.end()
		sub := t.sub
		t.mu.Unlock()
		if sub != nil { // otherwise start has yet to subscribe, and cancels then
			sub.Cancel()
		}
		t.each(s, func(sub pubsub.Subscriber) {
			if g, ok := sub.(pubsub.GapSubscriber); ok {
				g.Gap(t.name)
			}
		})
	}
	return f.tasks.Wait(ctx)
}

// Stats are the counters of the followers. Topics, Entries and Bytes are of this moment.
type Stats struct {
	Topics, Entries, Bytes int
	Repairs                int64 // times that entries after a head were looked for in the store
	Filled                 int64 // entries that other nodes had not told, taken from the store
	Reads                  int64 // pages that were read from the store
	Rotations              int64 // times that a log had broken
	Late                   int64 // entries that other nodes told twice, or after they were read from the store
}

// Stats returns the counters.
func (f *Followers) Stats() Stats {
	f.mu.RLock()
	topics := len(f.topics)
	f.mu.RUnlock()
	return Stats{
		Topics:    topics,
		Entries:   int(f.cache.entries.Load()),
		Bytes:     int(f.cache.bytes.Load()),
		Repairs:   f.repairs.Load(),
		Filled:    f.filled.Load(),
		Reads:     f.reads.Load(),
		Rotations: f.rotations.Load(),
		Late:      f.late.Load(),
	}
}

// Breaker is a Subscriber that is told when the log of its topic has broken: the store has lost
// entries that subscribers have. No entry follows the old position; the next one follows p.
type Breaker interface {
	Broke(p Position)
}

// Subscribe subscribes s to a topic, which is kept. Deliver gets the entries in order, each once, with
// d.Place set and the *Entry in d.Memo; one goroutine calls it at a time for these. It also gets
// messages without a place, such as those of LocalBroadcast, from any goroutine. Neither is delivered
// while a lock of this package is held. s may implement Breaker.
//
// Deliver and Broke must not wait for a broadcast on the same topic.
func (f *Followers) Subscribe(topic string, s pubsub.Subscriber) *Subscription {
	f.mu.RLock()
	if t := f.topics[topic]; t != nil {
		defer f.mu.RUnlock()
		return t.subscribe(s)
	}
	f.mu.RUnlock()
	t, sub, found := f.create(topic, s)
	if !found {
		t.start()
	}
	return sub
}

// create makes a follower with its first subscription, unless there is one. After Close it makes one
// that has ended.
func (f *Followers) create(topic string, s pubsub.Subscriber) (t *follower, sub *Subscription, found bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t = f.topics[topic]; t != nil {
		return t, t.subscribe(s), true
	}
	topic = strings.Clone(topic) // it may share the memory of a larger string
	t = &follower{all: f, name: topic, topic: f.o.Topic(topic), ended: f.closed}
	sub = t.subscribe(s)
	if !f.closed {
		f.topics[topic] = t
		f.watch.add(t)
	}
	return t, sub, f.closed
}

// drop ends a follower without subscriptions, if none came since: round says how often the last one had
// ended when the alarm was set. Subscribe looks for the follower under the same lock, so nobody subscribes to
// one that has ended.
func (f *Followers) drop(t *follower, round uint32) {
	f.mu.Lock()
	t.mu.Lock()
	gone := !t.ended && len(t.subs) == 0 && t.round == round
	if gone {
		delete(f.topics, t.name)
		t.end()
	}
	sub := t.sub
	t.mu.Unlock()
	f.mu.Unlock()
	if gone && sub != nil {
		sub.Cancel()
	}
}

// wait waits until done is closed. If ctx or the followers end first, the error is the cause.
func (f *Followers) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

// sleep waits, or until Close.
func (f *Followers) sleep(d time.Duration) {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-f.ctx.Done():
	}
}

// list returns all followers.
func (f *Followers) list() []*follower {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := make([]*follower, 0, len(f.topics))
	for _, t := range f.topics {
		all = append(all, t)
	}
	return all
}
