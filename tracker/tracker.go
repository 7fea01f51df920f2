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

// Tracker runs States on a PubSub: it sends their messages, tells them the time, and
// tells its user of every change. All methods may be called from any goroutine.
type Tracker struct {
	node   string
	shards []*shard
	book   *notice.Book // of what is dropped
	log    *slog.Logger
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	once   sync.Once
}

// Options configure Start. The zero value of each field is its default.
type Options struct {
	// Name tells the trackers of one cluster apart. Default "presence".
	Name string
	// Shards is over how many States the topics are spread, each with heartbeats and
	// a lock of its own. It must be the same on all nodes. Default 1.
	Shards int
	// Config has the times and bounds of each State.
	Config Config
	// Logger takes what goes wrong. Default slog.Default().
	Logger *slog.Logger
}

// maxShards bounds Options.Shards.
const maxShards = 256

// Start starts a tracker. The changes of each shard are told by one goroutine, in
// their order; those that come up while tell runs are told as one. tell is called without a
// lock; when it panics or calls runtime.Goexit, that is logged, and the changes it was called
// with count as told. The first may come before Start returns, hence the Tracker. It returns when other nodes can be heard, or
// with the cause of ctx.
func Start(ctx context.Context, ps *pubsub.PubSub, opts *Options, tell func(*Tracker, Diff)) (*Tracker, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Name == "" {
		o.Name = "presence"
	}
	if o.Shards == 0 {
		o.Shards = 1
	}
	if o.Shards < 0 || o.Shards > maxShards {
		return nil, fmt.Errorf("tracker: option Shards is %d; use 1 to %d, the same on every node", o.Shards, maxShards)
	}
	if len(o.Name) > MaxName {
		return nil, fmt.Errorf("tracker: option Name has %d bytes; use %d at most", len(o.Name), MaxName)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	name := ps.Node()
	if name == "" {
		name = "local" // and alone
	}
	book := notice.NewBook(slog.New(redact.NewHandler(o.Logger.Handler())).With("tracker", o.Name))
	t := &Tracker{node: name, book: book, log: slog.New(book.Handler())}
	running, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	self := Replica{Name: name, Incarnation: uint64(time.Now().UnixNano())}
	for i := range o.Shards {
		state, err := NewState(self, o.Config)
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
			return nil, errors.Join(fmt.Errorf("tracker: other nodes cannot be heard: %w", context.Cause(ctx)), t.Close())
		}
	}
	return t, nil
}

// topicPrefix begins the topics that trackers talk on. Clients cannot name it: no topic
// of theirs has a control character.
const topicPrefix = "\x01tracker:"

// Close says goodbye, so that other nodes let the entries of this one leave at once, and
// waits for the goroutines of the tracker. Changes that were not told yet are not told any
// more. It must not be called from within tell.
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

// shard is where a topic is, the same on every node.
func (t *Tracker) shard(topic string) *shard {
	if len(t.shards) == 1 {
		return t.shards[0]
	}
	h := fnv.New32a()
	h.Write([]byte(topic)) // never fails
	return t.shards[h.Sum32()%uint32(len(t.shards))]
}

// Track adds an entry; see State.Track.
func (t *Tracker) Track(topic string, owner Owner, key string, meta []byte) (*Entry, error) {
	return t.shard(topic).change(func(s *State) (Diff, error) { return s.Track(topic, owner, key, meta) })
}

// Update replaces the meta of an entry; see State.Update.
func (t *Tracker) Update(topic string, owner Owner, key string, meta []byte) (*Entry, error) {
	return t.shard(topic).change(func(s *State) (Diff, error) { return s.Update(topic, owner, key, meta) })
}

// Untrack removes an entry, and reports whether there was one.
func (t *Tracker) Untrack(topic string, owner Owner, key string) bool {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	diff := s.state.Untrack(topic, owner, key)
	s.noteLocked(diff)
	return !diff.Empty()
}

// UntrackOwner removes all entries of an owner.
func (t *Tracker) UntrackOwner(owner Owner) {
	for _, s := range t.shards {
		s.mu.Lock()
		s.noteLocked(s.state.UntrackOwner(owner))
		s.mu.Unlock()
	}
}

// Find is what an owner of this node tracks under a key, or nil.
func (t *Tracker) Find(topic string, owner Owner, key string) *Entry {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Find(topic, owner, key)
}

// List is the entries of a topic; see State.List.
func (t *Tracker) List(topic string) []*Entry {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.List(topic)
}

// Get is the entries of one key of a topic.
func (t *Tracker) Get(topic, key string) []*Entry {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Get(topic, key)
}

// Count is the number of entries of a topic.
func (t *Tracker) Count(topic string) int {
	s := t.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Count(topic)
}

// Snapshot calls f with the entries of a topic at a moment when every change before has
// been told and none after it: with what is told from then on, they become every later
// list. List is not so exact: who joined and left while nothing was told is in it, and not
// told of. It waits for tell while that runs, and tell for f: f must not block, and neither
// of them may call Snapshot.
func (t *Tracker) Snapshot(topic string, f func(list []*Entry)) {
	s := t.shard(topic)
	s.alone(func() { f(s.tellAll(func(state *State) []*Entry { return state.List(topic) })) })
}

// Local reports whether an entry was tracked on this node.
func (t *Tracker) Local(e *Entry) bool { return e.Replica().Name == t.node }

// Stats are the counters of all shards together.
func (t *Tracker) Stats() Stats {
	var sum Stats
	for _, s := range t.shards {
		s.mu.Lock()
		one := s.state.Stats()
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

// Replicas is how the other nodes are seen, in the order of their names: of the
// first shard, the others being much the same.
func (t *Tracker) Replicas() []Status {
	s := t.shards[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Replicas()
}
