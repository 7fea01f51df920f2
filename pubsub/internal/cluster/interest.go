package cluster

import (
	"context"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/pubsub"
)

// interests is which topics this node wants.
type interests struct {
	mu      sync.Mutex
	table   map[string]*interest // by channel
	changed []*interest
	// ready is closed when all topics that were added since the last turn of
	// keepInterests are confirmed: they share it.
	ready   chan struct{}
	pending int
	gapped  error // messages may have been missed, and nobody was told yet
	news    chan struct{}
}

// interest is one topic.
type interest struct {
	topic, channel string
	wanted         bool
	listed         bool          // in changed
	subscribed     bool          // at the link; keepInterests alone changes it
	ready          chan struct{} // nil when confirmed
	sources        sources
}

func (s *interests) init() {
	s.table = make(map[string]*interest)
	s.news = make(chan struct{}, 1)
}

func (s *interests) get(channel string) *interest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table[channel]
}

func (s *interests) count() (topics, pending int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table), s.pending
}

// changedLocked puts a topic on the list of keepInterests.
func (s *interests) changedLocked(it *interest) {
	if !it.listed {
		it.listed = true
		s.changed = append(s.changed, it)
	}
	s.wake()
}

func (s *interests) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// gap says that messages may have been missed.
func (s *interests) gap(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gapped = cause
	s.wake()
}

// Interest implements pubsub.Adapter.
func (n *Node) Interest(topic string) <-chan struct{} {
	channel := TopicChannel(n.options.Prefix, topic)
	s := &n.interests
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.table[channel]
	if it == nil {
		it = &interest{topic: strings.Clone(topic), channel: channel}
		s.table[channel] = it
	}
	it.wanted = true
	if it.subscribed && it.ready == nil {
		return nil // Forget has not got through yet
	}
	if it.ready == nil {
		if s.ready == nil {
			s.ready = make(chan struct{})
		}
		it.ready = s.ready
		s.pending++
	}
	s.changedLocked(it)
	return it.ready
}

// Forget implements pubsub.Adapter.
func (n *Node) Forget(topic string) {
	s := &n.interests
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.table[TopicChannel(n.options.Prefix, topic)]; it != nil {
		it.wanted = false
		s.changedLocked(it)
	}
}

// maxTurn bounds the topics of one call of the link.
const maxTurn = 4096

// keepInterests tells the link what has changed, all at once, and waits until that
// is confirmed. What changes meanwhile is its next turn.
func (n *Node) keepInterests(ctx context.Context) {
	s := &n.interests
	for ctx.Err() == nil {
		select {
		case <-s.news:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		var add []*interest
		var drop []string
		for _, it := range s.changed {
			it.listed = false
			switch {
			case it.wanted:
				if it.ready != nil {
					add = append(add, it)
				}
			default:
				if it.subscribed {
					drop = append(drop, it.channel)
				}
				if it.ready != nil { // nobody wants it any more, and nobody shall wait
					s.pending--
				}
				delete(s.table, it.channel)
			}
		}
		s.changed = nil
		ready, gapped := s.ready, s.gapped
		s.ready, s.gapped = nil, nil
		s.mu.Unlock()

		if len(drop) > 0 {
			if err := n.link.Unsubscribe(drop); err != nil {
				n.log.Warn("the broker did not take interest back", "error", err, "topics", len(drop))
			}
		}
		if !n.confirm(ctx, add) {
			return
		}
		s.mu.Lock()
		for _, it := range add {
			it.subscribed, it.ready = true, nil
		}
		s.pending -= len(add)
		s.mu.Unlock()
		if ready != nil {
			close(ready)
		}
		if gapped != nil {
			n.stats.gaps.Add(1)
			n.receiver.Gap(pubsub.Gap{Cause: gapped})
		}
	}
}

// confirm returns when no message to these topics can be missed any more, or
// false when ctx has ended. While the broker is away it waits.
func (n *Node) confirm(ctx context.Context, add []*interest) bool {
	for len(add) > 0 {
		turn := add[:min(len(add), maxTurn)]
		channels := make([]string, len(turn))
		for i, it := range turn {
			channels[i] = it.channel
		}
		for {
			if !n.awaitUp(ctx) {
				return false
			}
			err := n.link.Subscribe(ctx, channels)
			if err == nil {
				break
			}
			if ctx.Err() == nil && n.state.up() {
				n.log.Warn("the broker did not take interest; trying again", "error", err, "topics", len(channels))
			}
			n.pause(ctx)
		}
		add = add[len(turn):]
	}
	n.sync(ctx)
	return ctx.Err() == nil
}
