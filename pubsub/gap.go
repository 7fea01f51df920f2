package pubsub

import (
	"sync"
	"sync/atomic"
	"time"
)

// A GapSubscriber is a Subscriber that is told when it may have missed messages; others are not. A
// Subscriber that wraps one needs a method Gap that calls the wrapped one.
type GapSubscriber interface {
	Subscriber
	// Gap says that messages of the topic may have been missed between the subscription and now. It
	// must not block or panic.
	Gap(topic string)
}

const (
	// gapRate bounds the subscribers that are told of a gap per second, since most of them make a
	// client join again. Telling all takes no longer than gapMost.
	gapRate = 2000
	gapMost = 30 * time.Second
	gapStep = 100 * time.Millisecond
)

// gaps tells subscribers of gaps in all topics.
type gaps struct {
	round   atomic.Uint32 // number of gaps; a subscription that is younger has missed nothing
	mu      sync.Mutex
	telling bool // a goroutine runs tellGap
	closed  chan struct{}
	tellers sync.WaitGroup
}

// gapOfAll begins a round in which all subscribers are told of a gap. After Close it does nothing.
func (p *PubSub) gapOfAll() {
	p.gaps.mu.Lock()
	defer p.gaps.mu.Unlock()
	select {
	case <-p.gaps.closed:
		return
	default:
	}
	p.gaps.round.Add(1)
	if !p.gaps.telling { // otherwise the running tellGap sees the new round
		p.gaps.telling = true
		p.gaps.tellers.Go(p.tellGap)
	}
}

// topicGap returns the subscriptions to tell of a gap in one topic:
//
//   - the broker refuses the topic: those that have not been told of that yet
//   - the broker takes the topic again: those that were told of the refusal, since the others still
//     wait for Ready and have missed nothing
//   - any other gap: all of them
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

// tellGap tells every subscription that is older than the latest gap, a few at a time.
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

// gapSubscribers returns the subscriptions of GapSubscribers in a shard that were made before a
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

// closeGaps stops tellGap and waits for it.
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
