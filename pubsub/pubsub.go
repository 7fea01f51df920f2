package pubsub

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
)

// shardCount spreads topics over locks. It is a power of two, and large enough
// that joins on many cores seldom meet.
const shardCount = 64

// PubSub is a registry of subscriptions. All methods may be called from any
// goroutine. The zero value is not usable; call New.
type PubSub struct {
	adapter Adapter
	seed    maphash.Seed
	shards  [shardCount]shard
	idle    idleTopics
	gaps    gaps
}

type shard struct {
	mu     sync.RWMutex
	topics map[string]*topic
}

// topic is what a shard knows of one topic. It is in the map while it has
// subscriptions, and with an adapter a moment longer.
type topic struct {
	name  string
	subs  []*Subscription
	ready <-chan struct{}
	round uint32 // how often it was left by its last subscription
}

// Options configure New. The zero value is a node on its own.
type Options struct {
	// Adapter connects this node to others. nil: no others.
	Adapter Adapter
	// Linger is how long a topic is still received from other nodes after its
	// last subscription here has ended. Default 2 s; less than
	// a millisecond means one.
	Linger time.Duration
}

// DefaultLinger is that of Options.
const DefaultLinger = 2 * time.Second

// New makes a PubSub, starting its adapter; ctx bounds that. A nil opts is the
// zero Options.
func New(ctx context.Context, opts *Options) (*PubSub, error) {
	p := NewLocal()
	if opts == nil || opts.Adapter == nil {
		return p, nil
	}
	switch {
	case nils.Is(opts.Adapter):
		return nil, fmt.Errorf("pubsub: option Adapter is a nil %T; leave it out for a node on its own", opts.Adapter)
	case opts.Linger < 0:
		return nil, errors.New("pubsub: option Linger is negative; use 0 for the default of 2s")
	case opts.Linger == 0:
		p.idle.linger = DefaultLinger
	default:
		p.idle.linger = max(opts.Linger, time.Millisecond)
	}
	p.adapter = opts.Adapter
	if err := p.adapter.Start(ctx, (*receiver)(p)); err != nil {
		return nil, err
	}
	return p, nil
}

// NewLocal makes a PubSub without other nodes.
func NewLocal() *PubSub {
	p := &PubSub{seed: maphash.MakeSeed()}
	p.gaps.closed = make(chan struct{})
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

// Health is how the adapter does. Without one all is well.
func (p *PubSub) Health() Health {
	if p.adapter == nil {
		return Health{Connected: true}
	}
	return p.adapter.Health()
}

// Close stops the adapter. Subscriptions of this node go on.
func (p *PubSub) Close(ctx context.Context) error {
	if p.adapter == nil {
		return nil
	}
	p.closeIdle()
	err := p.adapter.Stop(ctx)
	p.closeGaps()
	return err
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
	p.dispatch(from, m, false)
	return err
}

// LocalBroadcast publishes m to the subscribers of this node alone.
func (p *PubSub) LocalBroadcast(m *Message) { p.dispatch(nil, m, false) }

// LocalBroadcastFrom is LocalBroadcast without from.
func (p *PubSub) LocalBroadcastFrom(from Subscriber, m *Message) { p.dispatch(from, m, false) }

// DirectBroadcast publishes m to the subscribers of one node, which may be this one.
func (p *PubSub) DirectBroadcast(node string, m *Message) error {
	if node == p.Node() {
		p.dispatch(nil, m, false)
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
func (p *PubSub) dispatch(from Subscriber, m *Message, remote bool) {
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

	d := &Dispatch{Message: m, Remote: remote}
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
		for _, t := range s.topics {
			if len(t.subs) > 0 {
				n++
			}
		}
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
