package pubsub

import "strings"

// Subscription makes a Subscriber get the messages of a topic, until Cancel.
type Subscription struct {
	subscriber Subscriber
	pubsub     *PubSub
	topic      *topic
	index      int    // in topic.subs, or -1 after Cancel; guarded by the lock of the shard
	born       uint32 // number of gaps before it was made
	missing    bool   // it was told that the broker refuses the topic; guarded by the lock of the shard
}

// Subscribe subscribes s to the topic of that name. Messages may be delivered before it returns.
// Cancel every Subscription in the end.
func (p *PubSub) Subscribe(name string, s Subscriber) *Subscription {
	sh := p.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.topics[name]
	if t == nil {
		// The name may share the memory of a larger string.
		name = strings.Clone(name)
		t = &topic{name: name}
		sh.topics[name] = t
		if p.adapter != nil {
			t.ready = p.adapter.Interest(name)
		}
	}
	sub := &Subscription{subscriber: s, pubsub: p, topic: t, index: len(t.subs), born: p.gaps.round.Load()}
	t.subs = append(t.subs, sub)
	if isGroup(s) {
		t.groups++
	}
	return sub
}

// Ready returns a channel that is closed when no later broadcast of any node can be missed, or nil
// if that is so already. If the broker refuses the topic meanwhile, Ready returns another channel,
// so call it again when the first one is closed.
func (s *Subscription) Ready() <-chan struct{} {
	sh := s.pubsub.shard(s.topic.name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return s.topic.ready
}

// Cancel ends the subscription. A delivery that has begun may still arrive. Only the first call has
// an effect.
func (s *Subscription) Cancel() {
	sh := s.pubsub.shard(s.topic.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.pubsub.cancel(sh, s)
}

// cancel removes a subscription by moving the last one to its place, so that the cost does not
// depend on their number. Subscribers have no order.
func (p *PubSub) cancel(sh *shard, sub *Subscription) {
	if sub.index < 0 {
		return
	}
	t := sub.topic
	last := len(t.subs) - 1
	t.subs[sub.index] = t.subs[last]
	t.subs[sub.index].index = sub.index
	t.subs[last] = nil
	t.subs = t.subs[:last]
	sub.index = -1
	if isGroup(sub.subscriber) {
		t.groups--
	}
	if last == 0 {
		if p.adapter == nil {
			delete(sh.topics, t.name)
			return
		}
		t.round++
		p.addIdle(t)
	}
	// Shrink the list of a topic that was large.
	if c := cap(t.subs); c > 64 && last < c/4 {
		t.subs = append(make([]*Subscription, 0, c/2), t.subs...)
	}
}

// A Subscriber gets the messages of a topic.
type Subscriber interface {
	// Deliver takes one message. It runs in the goroutine of the publisher, which calls all other
	// subscribers too, so it must not block or panic. Several publishers may call it concurrently.
	Deliver(d *Dispatch)
}
