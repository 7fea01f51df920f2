package cluster

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// interests are the topics that this node wants.
type interests struct {
	mu      sync.Mutex
	table   map[string]*interest // by channel
	changed []*interest
	// ready is shared by all topics that were added since the last turn of keepInterests, and
	// closed when they are confirmed.
	ready   chan struct{}
	pending int           // number of topics that are not confirmed
	gapped  error         // the reason of a gap in all topics that was not reported yet
	news    chan struct{} // has a value if keepInterests has something to do

	refusals    int         // number of refused topics
	refusalNews []*interest // those of them that were not reported yet
	lastRefused refusedTopic
	// deaf is set if the broker refuses this node as a whole: it does not let the node in, or
	// refuses a channel that every node needs.
	deaf     error
	deafAt   time.Time     // time of the last such refusal
	deafNews bool          // it was not reported yet
	deafened chan struct{} // closed while deaf is set
}

// interest is the interest in one topic.
type interest struct {
	topic, channel string
	wanted         bool
	listed         bool          // in changed
	subscribed     bool          // at the link; changed by keepInterests alone
	ready          chan struct{} // nil if confirmed
	refused        error         // the refusal of the broker, or nil
	afresh         bool          // refused again since the last attempt
	said           bool          // the refusal was logged; used by keepInterests alone
	over           chan struct{} // if refused: ready, which is not shared then
	sources        sources
	moment         uint64        // the moment when it began; see floors
	sync           atomic.Uint64 // number of the sync that has confirmed it, or 0
	gone           atomic.Bool   // it has ended; new interest in the topic is another value
}

func (s *interests) init() {
	s.table = make(map[string]*interest)
	s.news = make(chan struct{}, 1)
	s.deafened = make(chan struct{})
}

// get returns the interest of a channel, or nil.
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

// changedLocked adds a topic to the list for keepInterests.
func (s *interests) changedLocked(it *interest) {
	if !it.listed {
		it.listed = true
		s.changed = append(s.changed, it)
	}
	s.wake()
}

// wake wakes keepInterests.
func (s *interests) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// gap notes that messages of any topic may have been missed.
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
		it = &interest{topic: strings.Clone(topic), channel: channel, moment: n.peers.moment()}
		s.table[channel] = it
	}
	it.wanted = true
	if it.subscribed && it.ready == nil {
		return nil // a Forget has not taken effect yet
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

// deleteLocked removes a topic that is not wanted any more.
func (s *interests) deleteLocked(it *interest) {
	if it.ready != nil { // it is not pending any more
		s.pending--
	}
	if it.refused != nil && s.deaf == nil {
		s.lastRefused = refusedTopic{it.topic, it.channel, it.refused}
	}
	s.regainedLocked(it)
	delete(s.table, it.channel)
	it.gone.Store(true)
}

// settle notes that the broker has confirmed the topics that it did not refuse, and returns those of
// them that it had refused before.
func (s *interests) settle(tried []*interest) (regained []*interest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range tried {
		it.subscribed = true
		if it.refused != nil && (it.afresh || s.deaf != nil) {
			continue
		}
		if it.refused != nil {
			regained = append(regained, it)
		}
		s.regainedLocked(it)
		it.ready = nil
		s.pending--
	}
	return regained
}

// confirm returns when no message of these topics can be missed any more, or the broker has refused
// them. While the broker is away it waits. It returns false if ctx has ended.
func (n *Node) confirm(ctx context.Context, add []*interest) bool {
	if len(add) == 0 {
		return ctx.Err() == nil
	}
	s := &n.interests
	s.mu.Lock()
	for _, it := range add {
		it.afresh = false
	}
	s.mu.Unlock()
	for rest := add; len(rest) > 0; {
		turn := rest[:min(len(rest), maxTurn)]
		channels := make([]string, len(turn))
		for i, it := range turn {
			channels[i] = it.channel
		}
		for !n.subscribe(ctx, turn, channels) {
			if ctx.Err() != nil {
				return false
			}
		}
		rest = rest[len(turn):]
	}
	if !n.interests.isDeaf() {
		n.sync(ctx, add, true)
	}
	return ctx.Err() == nil
}

// all returns all topics.
func (s *interests) all() []*interest {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*interest, 0, len(s.table))
	for _, it := range s.table {
		list = append(list, it)
	}
	return list
}

// isDeaf reports whether the broker refuses this node as a whole.
func (s *interests) isDeaf() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaf != nil
}

// subscribe calls the link once for topics, and reports whether they were confirmed or refused.
func (n *Node) subscribe(ctx context.Context, turn []*interest, channels []string) (answered bool) {
	s := &n.interests
	up, changed := n.state.watch()
	s.mu.Lock()
	if deaf := s.deaf; deaf != nil {
		defer s.mu.Unlock()
		for _, it := range turn {
			s.refuseLocked(it, deaf)
		}
		return true
	}
	deafened := s.deafened
	s.mu.Unlock()
	if !up {
		select {
		case <-changed:
		case <-deafened:
		case <-ctx.Done():
		}
		return false
	}
	err := n.link.Subscribe(ctx, channels)
	if err == nil {
		return true
	}
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		n.Refused(refusal)
		return true
	}
	if ctx.Err() == nil && n.state.up() {
		n.book.Say(notice.BrokerInterest, slog.Any("error", err), slog.Int("topics", len(channels)))
	}
	n.pause(ctx)
	return false
}
