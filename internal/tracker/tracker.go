package tracker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// A Tracker runs states on a PubSub: it sends their messages, passes ticks and received messages to
// them, and calls tell with every change. All methods may be called from any goroutine.
type Tracker struct {
	node   string
	shards []*shard
	book   *notice.Book // logs dropped messages
	log    *slog.Logger
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	once   sync.Once
}

// Start starts a tracker. It returns when the tracker receives the messages of other nodes, or with
// the cause of ctx.
//
// tell is called with the changes of a shard, in order and one call at a time. Changes that are made
// while it runs are merged for the next call. No mutex is held while it runs. It may be called before
// Start has returned, so it gets the Tracker. If it panics or calls runtime.Goexit, that is logged,
// and it is not called again with those changes.
func Start(ctx context.Context, ps *pubsub.PubSub, opts Options, tell func(*Tracker, Diff)) (*Tracker, error) {
	o, err := opts.resolved()
	if err != nil {
		return nil, err
	}
	name := ps.Node()
	if name == "" {
		name = "local" // without an adapter there are no other nodes
	}
	book := notice.NewBook(slog.New(redact.NewHandler(o.Logger.Handler())).With("tracker", o.Name))
	t := &Tracker{node: name, book: book, log: slog.New(book.Handler())}
	running, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	self := replica{name: name, incarnation: uint64(time.Now().UnixNano())}
	for i := range o.Shards {
		state, err := newState(self, o)
		if err != nil {
			cancel()
			return nil, err
		}
		t.shards = append(t.shards, newShard(t, ps, fmt.Sprintf("%s%s/%d", topicPrefix, o.Name, i), state, tell))
	}
	for _, s := range t.shards {
		s.sub = ps.Subscribe(s.topic, s)
		t.tasks.Go(func() { s.live(running) })
		t.tasks.Go(func() { s.tellChanges(running) })
	}
	for _, s := range t.shards {
		if s.sub.Ready() == nil {
			continue
		}
		select {
		case <-s.sub.Ready():
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("presence: the adapter has not confirmed the subscription for messages of other nodes: %w", context.Cause(ctx)), t.Close())
		}
	}
	return t, nil
}

// topicPrefix begins the topics of the messages between trackers. Clients cannot join these
// topics: wire refuses topics with control characters.
const topicPrefix = "\x01tracker:"

// Close sends a goodbye, so that other nodes remove the entries of this one, and waits for the
// goroutines of the tracker. tell is not called with the remaining changes. Close must not be called
// from tell.
func (t *Tracker) Close() error {
	t.once.Do(func() {
		for _, s := range t.shards {
			s.goodbye()
		}
		t.cancel()
		t.tasks.Wait()
		for _, s := range t.shards {
			s.sub.Cancel()
		}
	})
	return nil
}

// shard returns the shard of a topic, the same on every node.
func (t *Tracker) shard(topic string) *shard {
	if len(t.shards) == 1 {
		return t.shards[0]
	}
	h := fnv.New32a()
	h.Write([]byte(topic)) // never fails
	return t.shards[h.Sum32()%uint32(len(t.shards))]
}

// Track adds an entry. The errors are ErrTracked, ErrTooLarge, ErrFull and ErrClosed.
func (t *Tracker) Track(topic string, owner Owner, key string, meta []byte) (*Entry, error) {
	return t.shard(topic).change(func(s *state) (Diff, error) { return s.track(topic, owner, key, meta) })
}

// Update replaces the meta of an entry. The errors are ErrNotTracked, ErrTooLarge and ErrClosed.
func (t *Tracker) Update(topic string, owner Owner, key string, meta []byte) (*Entry, error) {
	return t.shard(topic).change(func(s *state) (Diff, error) { return s.update(topic, owner, key, meta) })
}

// Untrack removes an entry and reports whether there was one.
func (t *Tracker) Untrack(topic string, owner Owner, key string) bool {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	diff := s.state.untrack(topic, owner, key)
	s.noteLocked(diff)
	return !diff.Empty()
}

// UntrackOwner removes all entries of an owner.
func (t *Tracker) UntrackOwner(owner Owner) {
	for _, s := range t.shards {
		s.mu.Lock()
		s.noteLocked(s.state.untrackOwner(owner))
		s.mu.Unlock()
	}
}

// Find returns the entry that an owner of this node tracks under a key, or nil.
func (t *Tracker) Find(topic string, owner Owner, key string) *Entry {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.find(topic, owner, key)
}

// List returns the entries of a topic in no particular order. The slice belongs to the caller.
func (t *Tracker) List(topic string) []*Entry {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.list(topic)
}

// Get returns the entries of a key of a topic. Its cost does not grow with the topic.
func (t *Tracker) Get(topic, key string) []*Entry {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.get(topic, key)
}

// Count returns the number of entries of a topic.
func (t *Tracker) Count(topic string) int {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.count(topic)
}

// Snapshot calls f with the entries of a topic at a moment at which tell has got every earlier change
// and no later one. A caller that applies the changes of later calls of tell to this list has every
// later list. (The result of List may be ahead of tell.) Snapshot waits until a running tell has
// returned, and the next tell waits for f. So f must not block, and neither f nor tell may call
// Snapshot.
func (t *Tracker) Snapshot(topic string, f func(list []*Entry)) {
	s := t.shard(topic)
	s.alone(func() { f(s.tellAll(func(state *state) []*Entry { return state.list(topic) })) })
}

// Local reports whether an entry was tracked on this node.
func (t *Tracker) Local(e *Entry) bool { return e.origin.id.name == t.node }

// Stats returns the sums over all shards.
func (t *Tracker) Stats() Stats {
	var sum Stats
	for _, s := range t.shards {
		s.mu.Lock()
		one := s.state.counters()
		s.mu.Unlock()
		sum.Entries += one.Entries
		sum.Topics += one.Topics
		sum.Gaps += one.Gaps
		sum.Requests += one.Requests
		sum.Answers += one.Answers
		sum.Refused += one.Refused + s.refused.Load()
		sum.SentBytes += s.sentBytes.Load()
	}
	return sum
}

// Nodes returns the other nodes as the first shard sees them, in the order of their names.
func (t *Tracker) Nodes() []Node {
	s := t.shards[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.nodes()
}
