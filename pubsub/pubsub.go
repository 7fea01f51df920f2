package pubsub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/reserved"
)

// shardCount is the number of locks over which topics are spread: a power of two, and large enough
// that joins on many cores seldom wait for each other.
const shardCount = 64

// PubSub delivers messages to subscriptions. All methods may be called from any goroutine. Make it
// with New or NewLocal; the zero value is not usable.
type PubSub struct {
	adapter Adapter
	seed    maphash.Seed
	shards  [shardCount]shard
	idle    idleTopics
	gaps    gaps
}

// shard has the topics of one lock.
type shard struct {
	mu     sync.RWMutex
	topics map[string]*topic
}

// topic is in the map of its shard while it has subscriptions, and with an adapter for the time of
// Options.Linger after that. The lock of the shard guards it.
type topic struct {
	name    string
	subs    []*Subscription
	ready   <-chan struct{} // of Adapter.Interest, or of a Gap
	refused bool            // the broker refuses the topic
	round   uint32          // how often the last subscription has ended
	groups  uint32          // number of subs whose subscriber is a group
}

// Options configure New. The zero value is a node without others.
type Options struct {
	// Adapter connects this node to others. Default nil: there are no others.
	Adapter Adapter
	// Linger is how long a topic is received from other nodes after its last subscription on this
	// node has ended. At least a millisecond. Default 2 s.
	Linger time.Duration
}

const defaultLinger = 2 * time.Second

// New makes a PubSub and starts its adapter; ctx bounds the start. A nil opts is the zero Options.
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
		p.idle.linger = defaultLinger
	default:
		p.idle.linger = max(opts.Linger, time.Millisecond)
	}
	p.adapter = opts.Adapter
	if err := p.adapter.Start(ctx, (*receiver)(p)); err != nil {
		return nil, err
	}
	return p, nil
}

// NewLocal makes a PubSub without an adapter.
func NewLocal() *PubSub {
	p := &PubSub{seed: maphash.MakeSeed()}
	p.gaps.closed = make(chan struct{})
	for i := range p.shards {
		p.shards[i].topics = make(map[string]*topic)
	}
	return p
}

// Node returns the name of this node, or "" without an adapter.
func (p *PubSub) Node() string {
	if p.adapter == nil {
		return ""
	}
	return p.adapter.Node()
}

// Health returns the state of the adapter. Without an adapter, Connected is true.
func (p *PubSub) Health() Health {
	if p.adapter == nil {
		return Health{Connected: true}
	}
	return p.adapter.Health()
}

// Close stops the adapter. Broadcasts still reach the subscribers of this node.
func (p *PubSub) Close(ctx context.Context) error {
	if p.adapter == nil {
		return nil
	}
	p.closeIdle()
	err := p.adapter.Stop(ctx)
	p.closeGaps()
	return err
}

// shard returns the shard of a topic.
func (p *PubSub) shard(topic string) *shard {
	return &p.shards[maphash.String(p.seed, topic)&(shardCount-1)]
}

// Broadcast publishes m to the subscribers of its topic on all nodes. An error means that the
// adapter did not accept m, so that other nodes do not get it, or that a subscriber of this node
// refused m, or both.
func (p *PubSub) Broadcast(m *Message) error { return p.BroadcastFrom(nil, m) }

// BroadcastFrom is like Broadcast, but skips one subscriber of this node, usually the publisher
// itself. Subscribers are compared with ==; if from cannot be compared, such as a struct with a
// function, none is skipped.
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

// disconnectOf returns the message that tells every node of a disconnect. The connection may be one
// that is being accepted, and then no node is interested in its topic yet.
func disconnectOf(m *Message) *Message {
	return &Message{Topic: reserved.Disconnects, Event: reserved.EventDisconnect, Payload: []byte(m.Topic), Binary: true}
}

// LocalBroadcast publishes m to the subscribers of this node alone.
func (p *PubSub) LocalBroadcast(m *Message) { _ = p.dispatch(nil, m, fromHere) }

// DirectBroadcast publishes m to the subscribers of one node, which may be this one. If there is no
// such node, it may return nil.
func (p *PubSub) DirectBroadcast(node string, m *Message) error {
	if node == p.Node() {
		return p.dispatch(nil, m, fromCaller)
	}
	if p.adapter == nil {
		return errNoAdapter
	}
	err := p.adapter.Direct(node, m)
	if m.Event == reserved.EventDisconnect {
		err = cmp.Or(p.adapter.Direct(node, disconnectOf(m)), err)
	}
	return err
}
