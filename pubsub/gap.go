package pubsub

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrGap says that messages of other nodes may have been missed.
var ErrGap = errors.New("pubsub: messages of other nodes may have been missed")

// A GapSubscriber is a Subscriber that wants to know when it may have missed
// messages. One that does not is told nothing, nor is one that wraps a GapSubscriber and has
// no method Gap that passes it on.
type GapSubscriber interface {
	Subscriber
	// Gap says that messages of the topic may have been missed between the
	// subscription and now. It must not block, and must not panic.
	Gap(topic string)
}

const (
	// gapRate is how many subscribers are told of a gap in a second, unless that
	// would take longer than gapMost: most of them will cost somebody a new join.
	gapRate = 2000
	gapMost = 30 * time.Second
	gapStep = 100 * time.Millisecond
)

// gaps tells subscribers of gaps in all topics.
type gaps struct {
	round   atomic.Uint32 // counts them; a subscription made later has not missed anything
	mu      sync.Mutex
	telling bool // a goroutine of tellers is at it
	closed  chan struct{}
	tellers sync.WaitGroup
}

// receiver is PubSub as its adapter sees it.
type receiver PubSub

// Receive implements Receiver.
func (r *receiver) Receive(m *Message) {
	_ = (*PubSub)(r).dispatch(nil, m, fromElsewhere)
}

// Gap implements Receiver.
func (r *receiver) Gap(g Gap) {
	p := (*PubSub)(r)
	if g.Topic != "" {
		for _, s := range p.topicGap(&g) {
			s.subscriber.(GapSubscriber).Gap(g.Topic)
		}
		return
	}
	p.gaps.mu.Lock()
	defer p.gaps.mu.Unlock()
	select {
	case <-p.gaps.closed:
		return
	default:
	}
	p.gaps.round.Add(1)
	if !p.gaps.telling { // otherwise who tells sees the new round
		p.gaps.telling = true
		p.gaps.tellers.Go(p.tellGap)
	}
}

// topicGap lists who must know of a gap in one topic. While the broker refuses it these are those
// who have not been told yet. At the end of that time they are those who were told of its
// beginning: who subscribed since has waited.
func (p *PubSub) topicGap(g *Gap) (list []*Subscription) {
	s := p.shard(g.Topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[g.Topic]
	if t == nil {
		return nil
	}
	regained, once := g.Over == nil && t.refused, g.Over == nil && !t.refused
	t.refused = g.Over != nil
	if t.refused {
		t.ready = g.Over
	}
	for _, sub := range t.subs {
		_, ok := sub.subscriber.(GapSubscriber)
		if ok && (once || sub.missing == regained) {
			list = append(list, sub)
		}
		sub.missing = t.refused
	}
	return list
}

// tellGap tells every subscription that was there, a few at a time.
func (p *PubSub) tellGap() {
	for {
		round := p.gaps.round.Load()
		var all []*Subscription
		for i := range p.shards {
			all = append(all, p.gapSubscribers(&p.shards[i], round)...)
		}
		steps := min(len(all)*int(time.Second/gapStep)/gapRate, int(gapMost/gapStep)) + 1
		for i := range steps {
			for _, s := range all[i*len(all)/steps : (i+1)*len(all)/steps] {
				s.subscriber.(GapSubscriber).Gap(s.topic.name)
			}
			if i == steps-1 {
				break
			}
			pause := time.NewTimer(gapStep)
			select {
			case <-pause.C:
			case <-p.gaps.closed:
				pause.Stop()
				return
			}
		}
		p.gaps.mu.Lock()
		if p.gaps.round.Load() == round {
			p.gaps.telling = false
			p.gaps.mu.Unlock()
			return
		}
		p.gaps.mu.Unlock()
	}
}

// gapSubscribers lists who wants to know, of all topics of a shard, and subscribed before a
// round.
func (p *PubSub) gapSubscribers(s *shard, round uint32) (list []*Subscription) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.topics {
		for _, sub := range t.subs {
			if _, ok := sub.subscriber.(GapSubscriber); ok && sub.born < round {
				list = append(list, sub)
			}
		}
	}
	return list
}

// closeGaps waits for who is telling.
func (p *PubSub) closeGaps() {
	p.gaps.mu.Lock()
	select {
	case <-p.gaps.closed:
	default:
		close(p.gaps.closed)
	}
	p.gaps.mu.Unlock()
	p.gaps.tellers.Wait()
}
