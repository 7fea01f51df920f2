package pubsub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/reserved"
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
	// refused says that the broker does not let this node have it.
	refused bool
	round   uint32 // how often it was left by its last subscription
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
	case opts.Linger > option.MaxDuration:
		return nil, fmt.Errorf("pubsub: option Linger is %v; use up to %v", opts.Linger, option.MaxDuration)
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
// nodes were not, or a subscriber's that has refused m, or both.
func (p *PubSub) Broadcast(m *Message) error { return p.BroadcastFrom(nil, m) }

// BroadcastFrom is Broadcast without from, which is compared with ==; a value that cannot be,
// such as a struct with a function, excludes nobody. It can only exclude a subscriber of this
// node.
func (p *PubSub) BroadcastFrom(from Subscriber, m *Message) error {
	var err error
	if p.adapter != nil {
		err = p.adapter.Broadcast(m)
		if m.Event == reserved.EventDisconnect {
			err = cmp.Or(p.adapter.Broadcast(disconnectOf(m)), err)
		}
	}
	if refused := p.dispatch(from, m, fromCaller); refused != nil {
		err = errors.Join(err, refused)
	}
	return err
}

// disconnectOf is a disconnect as it is told to every node. The connection it is meant for may
// be one that is being accepted: no node has an interest in its id yet.
func disconnectOf(m *Message) *Message {
	return &Message{Topic: reserved.Disconnects, Event: reserved.EventDisconnect, Payload: []byte(m.Topic), Binary: true}
}

// LocalBroadcast publishes m to the subscribers of this node alone.
func (p *PubSub) LocalBroadcast(m *Message) { p.LocalBroadcastFrom(nil, m) }

// LocalBroadcastFrom is LocalBroadcast without from.
func (p *PubSub) LocalBroadcastFrom(from Subscriber, m *Message) {
	_ = p.dispatch(from, m, fromHere)
}

// DirectBroadcast publishes m to the subscribers of one node, which may be this one.
func (p *PubSub) DirectBroadcast(node string, m *Message) error {
	if node == p.Node() {
		return p.dispatch(nil, m, fromCaller)
	}
	if p.adapter == nil {
		return ErrNoAdapter
	}
	err := p.adapter.Direct(node, m)
	if m.Event == reserved.EventDisconnect {
		err = cmp.Or(p.adapter.Direct(node, disconnectOf(m)), err)
	}
	return err
}

// comparable is s, or nil when comparing it with == would panic: then it is no other's equal.
func comparable(s Subscriber) Subscriber {
	if s == nil || !reflect.ValueOf(s).Comparable() {
		return nil
	}
	return s
}

// origin is where a message comes from.
type origin uint8

const (
	fromCaller    origin = iota // a publisher of this node, who gets an error
	fromHere                    // one who gets none
	fromElsewhere               // another node
)

// snapshots keeps the lists that dispatch copies subscriptions into.
var snapshots = sync.Pool{New: func() any { return new([]*Subscription) }}

// dispatch copies the list of subscriptions under a brief read lock and delivers
// outside it: copying ten thousand pointers costs a few microseconds, delivering to
// them a thousand times that.
func (p *PubSub) dispatch(from Subscriber, m *Message, o origin) error {
	if o != fromElsewhere && m.Event == reserved.EventDisconnect && m.Topic != reserved.Disconnects {
		_ = p.dispatch(nil, disconnectOf(m), fromHere)
	}
	s := p.shard(m.Topic)
	s.mu.RLock()
	t := s.topics[m.Topic]
	if t == nil {
		s.mu.RUnlock()
		return nil
	}
	list := snapshots.Get().(*[]*Subscription)
	*list = append((*list)[:0], t.subs...)
	s.mu.RUnlock()

	from = comparable(from)
	d := &Dispatch{Message: m, Remote: o == fromElsewhere, told: o == fromCaller}
	for _, sub := range *list {
		if sub.subscriber != from {
			sub.subscriber.Deliver(d)
		}
	}
	clear(*list)
	snapshots.Put(list)
	return d.err
}

// Topics is the number of topics with at least one subscription on this node.
func (p *PubSub) Topics() int {
	n := 0
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.RLock()
		for _, t := range s.topics {
			if len(t.subs) > 0 && t.name != reserved.Disconnects {
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
