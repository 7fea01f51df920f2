package pubsub

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
)

// shardCount spreads topics over locks. It is a power of two, and large enough
// that joins on many cores seldom meet.
const shardCount = 64

// ErrNoAdapter answers a direct broadcast to another node when there is none.
var ErrNoAdapter = errors.New("pubsub: no adapter: this node is alone")

// PubSub is a registry of subscriptions. All methods may be called from any
// goroutine. The zero value is not usable; call New.
type PubSub struct {
	adapter Adapter
	seed    maphash.Seed
	shards  [shardCount]shard
}

type shard struct {
	mu     sync.RWMutex
	topics map[string]*topic
}

// topic is what a shard knows of one topic. It is in the map exactly while it
// has subscriptions.
type topic struct {
	name  string
	subs  []*Subscription
	ready <-chan struct{}
}

// Options configure New. The zero value is a node on its own.
type Options struct {
	// Adapter connects this node to others. nil: no others.
	Adapter Adapter
}

// New makes a PubSub, starting its adapter. A nil opts is the zero Options.
func New(ctx context.Context, opts *Options) (*PubSub, error) {
	p := NewLocal()
	if opts != nil && opts.Adapter != nil {
		p.adapter = opts.Adapter
		if err := p.adapter.Start(ctx, p.LocalBroadcast); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// NewLocal makes a PubSub without other nodes.
func NewLocal() *PubSub {
	p := &PubSub{seed: maphash.MakeSeed()}
	for i := range p.shards {
		p.shards[i].topics = make(map[string]*topic)
	}
	return p
}

// Node is the adapter's name for this node, or "" without an adapter.
func (p *PubSub) Node() string {
	if p.adapter == nil {
		return ""
	}
	return p.adapter.Node()
}

// Close stops the adapter. Subscriptions of this node go on.
func (p *PubSub) Close(ctx context.Context) error {
	if p.adapter == nil {
		return nil
	}
	return p.adapter.Stop(ctx)
}

func (p *PubSub) shard(topic string) *shard {
	return &p.shards[maphash.String(p.seed, topic)&(shardCount-1)]
}

// Broadcast publishes m to the subscribers of its topic on all nodes. This node
// is always served; an error is the adapter's, and says that the other
// nodes were not.
func (p *PubSub) Broadcast(m *Message) error { return p.BroadcastFrom(nil, m) }

// BroadcastFrom is Broadcast without from, which is compared with ==. It can
// only exclude a subscriber of this node.
func (p *PubSub) BroadcastFrom(from Subscriber, m *Message) error {
	var err error
	if p.adapter != nil {
		err = p.adapter.Broadcast(m)
	}
	p.dispatch(from, m)
	return err
}

// LocalBroadcast publishes m to the subscribers of this node alone.
func (p *PubSub) LocalBroadcast(m *Message) { p.dispatch(nil, m) }

// LocalBroadcastFrom is LocalBroadcast without from.
func (p *PubSub) LocalBroadcastFrom(from Subscriber, m *Message) { p.dispatch(from, m) }

// DirectBroadcast publishes m to the subscribers of one node, which may be this one.
func (p *PubSub) DirectBroadcast(node string, m *Message) error {
	if node == p.Node() {
		p.dispatch(nil, m)
		return nil
	}
	if p.adapter == nil {
		return ErrNoAdapter
	}
	return p.adapter.Direct(node, m)
}

// snapshots keeps the lists that dispatch copies subscriptions into.
var snapshots = sync.Pool{New: func() any { return new([]*Subscription) }}

// dispatch copies the list of subscriptions under a brief read lock and delivers
// outside it: copying ten thousand pointers costs a few microseconds, delivering to
// them a thousand times that.
func (p *PubSub) dispatch(from Subscriber, m *Message) {
	s := p.shard(m.Topic)
	s.mu.RLock()
	t := s.topics[m.Topic]
	if t == nil {
		s.mu.RUnlock()
		return
	}
	list := snapshots.Get().(*[]*Subscription)
	*list = append((*list)[:0], t.subs...)
	s.mu.RUnlock()

	d := &Dispatch{Message: m}
	for _, sub := range *list {
		if sub.subscriber != from {
			sub.subscriber.Deliver(d)
		}
	}
	clear(*list)
	snapshots.Put(list)
}

// Topics is the number of topics with at least one subscription on this node.
func (p *PubSub) Topics() int {
	n := 0
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.RLock()
		n += len(s.topics)
		s.mu.RUnlock()
	}
	return n
}

// Subscribers is the number of subscriptions to a topic on this node.
func (p *PubSub) Subscribers(topic string) int {
	s := p.shard(topic)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.topics[topic]; t != nil {
		return len(t.subs)
	}
	return 0
}
