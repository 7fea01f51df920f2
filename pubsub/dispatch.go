package pubsub

import (
	"reflect"
	"sync"

	"github.com/bennu-go/bennu/internal/reserved"
)

// Dispatch is the delivery of one message to the subscribers of this node. It is valid only during
// Deliver; its Message stays valid.
type Dispatch struct {
	*Message
	// Remote says that the message came from another node, through a broker to which others may
	// write. Its content has not been checked.
	Remote bool
	// Memo is for a value that the subscribers of one dispatch share, such as an encoded frame. They
	// are called one after the other; for the first it is nil.
	Memo any

	told bool  // the publisher gets err
	err  error // of Refuse
}

// Refuse is called in Deliver by a subscriber that can never accept the message. If the publisher
// is on this node and its call returns errors, it gets err; Refuse reports whether it does. The
// other subscribers still get the message.
func (d *Dispatch) Refuse(err error) (told bool) {
	d.err = err
	return d.told
}

// origin says from where a message comes.
type origin uint8

const (
	fromCaller    origin = iota // a publisher of this node that gets errors
	fromHere                    // a publisher of this node that gets none
	fromElsewhere               // another node
)

// snapshots are lists for dispatch.
var snapshots = sync.Pool{New: func() any { return new([]*Subscription) }}

// dispatch copies the list of subscriptions under a read lock, and delivers without it. Copying ten
// thousand pointers takes a few microseconds, and delivering to them a thousand times that.
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

	from = nilUnlessComparable(from)
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

// nilUnlessComparable returns s, or nil if comparing it with == would panic.
func nilUnlessComparable(s Subscriber) Subscriber {
	if s == nil || !reflect.ValueOf(s).Comparable() {
		return nil
	}
	return s
}
