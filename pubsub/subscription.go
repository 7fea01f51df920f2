package pubsub

import "strings"

// Subscription is one entry in the registry.
type Subscription struct {
	subscriber Subscriber
	pubsub     *PubSub
	topic      *topic
	index      int    // in topic.subs, or -1 when cancelled; guarded by the shard
	born       uint32 // how many gaps there had been
	missing    bool   // was told that the topic is refused; guarded by the shard
}

// Subscribe registers s for a topic. Messages may arrive before it returns.
// Every Subscription must be cancelled in the end.
func (p *PubSub) Subscribe(name string, s Subscriber) *Subscription {
	sh := p.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.topics[name]
	if t == nil {
		// The name may be a piece of a larger string that should not live as
		// long as the topic.
		name = strings.Clone(name)
		t = &topic{name: name}
		sh.topics[name] = t
		if p.adapter != nil {
			t.ready = p.adapter.Interest(name)
		}
	}
	sub := &Subscription{subscriber: s, pubsub: p, topic: t, index: len(t.subs), born: p.gaps.round.Load()}
	t.subs = append(t.subs, sub)
	return sub
}

// Topic is the topic subscribed to.
func (s *Subscription) Topic() string { return s.topic.name }

// Ready is closed once no broadcast published on any node after that can be
// missed. It is nil when that is already so. When the broker refuses the topic, it is
// another one, which stays open: who has waited calls Ready again.
func (s *Subscription) Ready() <-chan struct{} {
	sh := s.pubsub.shard(s.topic.name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return s.topic.ready
}

// Cancel ends the subscription. A delivery that has begun may still arrive.
// Calls after the first have no effect.
func (s *Subscription) Cancel() {
	sh := s.pubsub.shard(s.topic.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.pubsub.cancel(sh, s)
}

// Unsubscribe cancels every subscription of s to a topic. One whose values cannot be compared
// with == needs Subscription.Cancel.
func (p *PubSub) Unsubscribe(name string, s Subscriber) {
	sh := p.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := sh.topics[name]
	if s = comparable(s); t == nil || s == nil {
		return
	}
	for i := len(t.subs) - 1; i >= 0; i-- {
		if t.subs[i].subscriber == s {
			p.cancel(sh, t.subs[i])
		}
	}
}

// cancel takes sub out by putting the last subscription in its place: leaving a topic
// costs the same however many others are on it. Order among subscribers means
// nothing.
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
	if last == 0 {
		if p.adapter == nil {
			delete(sh.topics, t.name)
			return
		}
		t.round++
		p.addIdle(t)
	}
	// A topic that once was large gives its list back.
	if c := cap(t.subs); c > 64 && last < c/4 {
		t.subs = append(make([]*Subscription, 0, c/2), t.subs...)
	}
}
