package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// A Refusal is the error of a broker that refuses channels to this node: the node lacks a permission, or
// has reached a limit on subscriptions.
type Refusal struct {
	Channels []string // nil: all channels
	Cause    error    // says what to change
	Causes   []error  // the causes of Channels; nil: Cause
}

// Add adds a channel with its cause.
func (r *Refusal) Add(channel string, cause error) {
	r.Channels, r.Causes = append(r.Channels, channel), append(r.Causes, cause)
	if r.Cause == nil {
		r.Cause = cause
	}
}

// of returns the cause of one of Channels.
func (r *Refusal) of(i int) error {
	if r.Causes == nil {
		return r.Cause
	}
	return r.Causes[i]
}

func (r *Refusal) Error() string { return r.Cause.Error() }
func (r *Refusal) Unwrap() error { return r.Cause }

const (
	// refusalPause is the time between two attempts with refused channels.
	refusalPause = time.Second
	// refusalTurn bounds the refused topics of an attempt. If one of them is allowed, all are
	// tried.
	refusalTurn = 8
	// tellStep is the number of topics whose subscribers are told of a refusal before a pause, so
	// that not all clients join again at once. Telling all takes no longer than tellMost.
	tellStep  = 200
	tellPause = 100 * time.Millisecond
	tellMost  = 30 * time.Second
)

var errRegained = errors.New("the broker had refused this topic")

// Refused implements Events. A refusal of a channel that every node needs counts for all topics.
func (n *Node) Refused(r *Refusal) {
	if n.yielded.Load() {
		return
	}
	s := &n.interests
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Channels == nil {
		s.deafLocked(r.Cause)
		return
	}
	own := n.own()
	for i, c := range r.Channels {
		if slices.Contains(own, c) {
			s.deafLocked(r.of(i))
			return
		}
	}
	for i, c := range r.Channels {
		if it := s.table[c]; it != nil {
			s.refuseLocked(it, r.of(i))
		}
	}
}

// own returns the channels that every node needs.
func (n *Node) own() []string {
	if _, routed := n.link.(Router); routed {
		return []string{n.control, n.inbox}
	}
	return []string{n.control, n.inbox, n.nodes, n.holder}
}

// deafLocked notes that the broker refuses this node as a whole.
func (s *interests) deafLocked(cause error) {
	if s.deaf == nil {
		s.deafNews = true
		close(s.deafened)
	}
	s.deaf, s.deafAt = cause, time.Now()
	for _, it := range s.table {
		s.refuseLocked(it, cause)
	}
	s.wake()
}

// refuseLocked notes that the broker refuses a topic. keepInterests reports it.
func (s *interests) refuseLocked(it *interest, cause error) {
	if it.refused == nil {
		s.refusals++
		s.refusalNews = append(s.refusalNews, it)
	}
	it.refused, it.afresh = cause, true
	if it.over == nil {
		it.over = make(chan struct{})
		if it.ready == nil {
			s.pending++
		}
		it.ready = it.over
	}
	s.wake()
}

// regainedLocked notes that the broker allows a topic, or that it is not wanted any more.
func (s *interests) regainedLocked(it *interest) {
	if it.refused != nil {
		it.refused = nil
		s.refusals--
	}
	if it.over != nil {
		close(it.over)
		it.over = nil
	}
}

// anyRefused reports whether there is something to try again.
func (s *interests) anyRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusals > 0 || s.deaf != nil || s.lastRefused.channel != ""
}

// untold reports whether there are refusals to report.
func (s *interests) untold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.refusalNews) > 0 || s.deafNews
}

// refusedLocked returns up to most refused topics.
func (s *interests) refusedLocked(most int) (list []*interest) {
	if s.deaf != nil {
		return nil
	}
	for _, it := range s.table {
		if it.refused != nil && len(list) < most {
			list = append(list, it)
		}
	}
	return list
}

// tellRefusals reports a gap for each refused topic, also for those reported before, since there may be
// new subscribers. It logs each refusal once.
func (n *Node) tellRefusals() {
	s := &n.interests
	s.mu.Lock()
	fresh, deafNews, deaf := s.refusalNews, s.deafNews, s.deaf
	s.refusalNews, s.deafNews = nil, false
	type told struct {
		topic string
		over  chan struct{}
		cause error
	}
	var list []told
	if s.refusals > 0 {
		for _, it := range s.table {
			if it.refused != nil {
				list = append(list, told{it.topic, it.over, it.refused})
			}
		}
	}
	s.mu.Unlock()
	switch {
	case deafNews:
		n.book.Say(notice.BrokerDeaf, slog.Any("error", deaf), slog.Int("topics", len(list)))
	case deaf == nil:
		for _, it := range fresh {
			it.said = true
			n.book.Say(notice.BrokerTopicRefused, notice.Foreign("topic", it.topic), slog.Any("error", it.refusedNow(s)))
		}
	}
	if len(fresh) > 0 {
		n.stats.gaps.Add(1)
	}
	step := max(tellStep, len(list)*int(tellPause/time.Millisecond)/int(tellMost/time.Millisecond))
	for i, t := range list {
		if len(fresh) > 0 && i > 0 && i%step == 0 { // each makes clients join again
			pause := time.NewTimer(tellPause)
			select {
			case <-pause.C:
			case <-n.ctx.Done():
				pause.Stop()
				return
			}
		}
		n.receiver.Gap(pubsub.Gap{Topic: t.topic, Cause: t.cause, Over: t.over})
	}
}

// refusedNow returns the present refusal.
func (it *interest) refusedNow(s *interests) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return it.refused
}

// listen tries again the channels that every node needs, if they are refused. It reports whether the
// node is not refused as a whole, and receives its own messages.
func (n *Node) listen() bool {
	s := &n.interests
	s.mu.Lock()
	deaf, at := s.deaf, s.deafAt
	s.mu.Unlock()
	switch {
	case deaf == nil:
		return true
	case !n.state.up():
		return false
	}
	var refusal *Refusal
	if err := n.link.Subscribe(n.ctx, n.own()); errors.As(err, &refusal) {
		n.Refused(refusal)
		return false
	} else if err != nil {
		return false
	}
	p := &n.peers
	p.mu.Lock()
	heard := p.self.After(at)
	p.mu.Unlock()
	if !heard {
		_ = n.tell(n.control, &envelope{kind: kindBeat})
		return false
	}
	if !s.listens(at) {
		return false
	}
	n.log.Info("the broker lets this node listen again")
	return true
}

// listens clears deaf, unless there was a refusal after at, and reports whether it did.
func (s *interests) listens(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deafAt != at {
		return false
	}
	s.deaf, s.deafened = nil, make(chan struct{})
	return true
}

// refusal returns the refusal for Health, and whether this node is refused as a whole.
func (n *Node) refusal() (whole bool, err error) {
	s := &n.interests
	s.mu.Lock()
	deaf, refusals, topics := s.deaf, s.refusals, len(s.table)
	var cause error
	lost := s.lastRefused.cause
	if deaf == nil && refusals > 0 {
		for _, it := range s.table {
			if it.refused != nil {
				cause = it.refused
				break
			}
		}
	}
	s.mu.Unlock()
	if deaf != nil {
		return true, fmt.Errorf("pubsub: this node cannot hear the others: %w", deaf)
	}
	if refusals > 0 {
		return false, fmt.Errorf("pubsub: the broker refuses %d of %d topics: %w", refusals, topics, cause)
	}
	if lost != nil {
		return false, fmt.Errorf("pubsub: the broker refuses topics: %w", lost)
	}
	if channels, cause := n.muted.state(); channels > 0 {
		return false, fmt.Errorf("pubsub: the broker does not take what is published to %d channels: %w", channels, cause)
	}
	return false, nil
}
