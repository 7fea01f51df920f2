package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// A Refusal is the error of a broker that is there and does not let this node use
// channels: it lacks a permission, or has as many subscriptions as it may.
type Refusal struct {
	Channels []string // nil: all of them
	Cause    error    // says what to change
	Causes   []error  // the same of each of Channels; nil: all have Cause
}

// Add adds a channel with its cause.
func (r *Refusal) Add(channel string, cause error) {
	r.Channels, r.Causes = append(r.Channels, channel), append(r.Causes, cause)
	if r.Cause == nil {
		r.Cause = cause
	}
}

// of is the cause of one of Channels.
func (r *Refusal) of(i int) error {
	if r.Causes == nil {
		return r.Cause
	}
	return r.Causes[i]
}

func (r *Refusal) Error() string { return r.Cause.Error() }
func (r *Refusal) Unwrap() error { return r.Cause }

const (
	// refusalPause is between tries of what was refused.
	refusalPause = time.Second
	// refusalTurn is how many of the topics that are refused are tried each time. When
	// one of them is allowed, all are.
	refusalTurn = 8
	// tellStep is how many topics are told of a refusal before a pause, so that not all
	// clients come at once; all are told within tellMost.
	tellStep  = 200
	tellPause = 100 * time.Millisecond
	tellMost  = 30 * time.Second
	// maxMuted bounds the channels that are remembered as refused for publishing, and
	// mutedTurn those that are tried at a time.
	maxMuted  = 1024
	mutedTurn = 64
	// mutedPause is between two lines about what is not published to one channel. Presence
	// says something every second or so, whether the broker takes it or not.
	mutedPause = time.Minute
)

var errRegained = errors.New("the broker had refused this topic")

// Refused implements Events. What a link says of the channels that every node needs is said
// of all.
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

// own are the channels that a node needs for itself.
func (n *Node) own() []string {
	if _, routed := n.link.(Router); routed {
		return []string{n.control, n.inbox}
	}
	return []string{n.control, n.inbox, n.nodes, n.holder}
}

// deafLocked notes that this node cannot hear the others at all.
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

// refuseLocked notes that a topic does not arrive. keepInterests tells of it.
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

// regainedLocked notes that a topic arrives, or that nobody wants it any more.
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

func (s *interests) anyRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusals > 0 || s.deaf != nil || s.scar.channel != ""
}

func (s *interests) untold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.refusalNews) > 0 || s.deafNews
}

// refusedLocked lists at most so many of the topics that are refused.
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

// tellRefusals tells the subscribers of topics that are refused, also those that came
// since: they wait, and shall know. It says once of each refusal that there is one.
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
		if len(fresh) > 0 && i > 0 && i%step == 0 { // each will cost somebody a new join
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

func (it *interest) refusedNow(s *interests) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return it.refused
}

// listen tries to get back what was refused to this node as a whole, and reports whether
// it hears itself.
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

// listens takes back that the node is deaf since a time, and reports whether it was.
func (s *interests) listens(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deafAt != at {
		return false
	}
	s.deaf, s.deafened = nil, make(chan struct{})
	return true
}

// scar is a topic that the broker refused until nobody wanted it. It is tried until the broker
// allows it, so that health goes on to say what the next join will meet.
type scar struct {
	topic, channel string
	cause          error
}

// tryScar looks whether the broker still refuses what nobody wants.
func (n *Node) tryScar() {
	s := &n.interests
	s.mu.Lock()
	topic, channel := s.scar.topic, s.scar.channel
	if s.table[channel] != nil { // it is wanted again
		s.scar, channel = scar{}, ""
	}
	s.mu.Unlock()
	if channel == "" || !n.state.up() {
		return
	}
	if n.link.Subscribe(n.ctx, []string{channel}) != nil {
		return
	}
	s.mu.Lock()
	s.scar = scar{}
	wanted := s.table[channel] != nil
	s.mu.Unlock()
	if !wanted {
		n.book.Say(notice.BrokerTopicBack, notice.Foreign("topic", topic))
		_ = n.link.Unsubscribe([]string{channel})
	}
}

// muted is what this node may not publish to.
type muted struct {
	any      atomic.Bool
	mu       sync.Mutex
	channels map[string]*mute
	asked    map[string]bool // questions that are on their way
	cause    error           // of the last
}

// mute is one channel.
type mute struct {
	cause error
	said  time.Time // when there was a line about it last
}

// check returns why a channel is refused, or nil.
func (m *muted) check(channel string) error {
	if !m.any.Load() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if of := m.channels[channel]; of != nil {
		return of.cause
	}
	return nil
}

// due reports whether it is time for a line about a channel, and notes that there is one.
func (m *muted) due(channel string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	of, now := m.channels[channel], time.Now()
	switch {
	case of == nil:
		return true
	case !of.said.IsZero() && now.Sub(of.said) < mutedPause:
		return false
	}
	of.said = now
	return true
}

func (m *muted) add(channel string, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.channels == nil {
		m.channels, m.asked = make(map[string]*mute), make(map[string]bool)
	}
	delete(m.asked, channel)
	m.cause = cause
	if of := m.channels[channel]; of != nil {
		of.cause = cause
	} else if len(m.channels) < maxMuted {
		m.channels[channel] = &mute{cause: cause}
		m.any.Store(true)
	}
}

// answered notes that the broker took a question, and reports whether it had refused the
// channel.
func (m *muted) answered(channel string) (was bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was = m.channels[channel] != nil
	delete(m.channels, channel)
	delete(m.asked, channel)
	m.any.Store(len(m.channels) > 0)
	return was
}

// questions returns channels to ask for.
func (m *muted) questions() (list []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range maps.Keys(m.channels) {
		if !m.asked[c] && len(list) < mutedTurn {
			m.asked[c] = true
			list = append(list, c)
		}
	}
	return list
}

func (m *muted) state() (channels int, cause error) {
	if !m.any.Load() {
		return 0, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.channels), m.cause
}

// Unsent implements Events.
func (n *Node) Unsent(channel string, cause error) {
	n.outbox.mu.Lock()
	n.outbox.lost++
	n.outbox.mu.Unlock()
	n.unsent(channel, cause)
}

// unsent notes that the broker does not take what this node publishes to a channel. What
// is published there from now on is an error at once.
func (n *Node) unsent(channel string, cause error) {
	n.muted.add(channel, cause)
	n.echoes.refuse(cause)
	n.sayRefused(channel, slog.Any("error", cause), notice.Foreign("channel", channel))
	s := &n.interests
	s.mu.Lock()
	defer s.mu.Unlock()
	if channel == n.control { // others give this node up, and do not answer it
		s.deafLocked(cause)
	}
	s.wake()
}

// sayRefused says that something for a channel is refused, once in mutedPause.
func (n *Node) sayRefused(channel string, attrs ...slog.Attr) {
	if n.muted.due(channel) {
		n.book.Say(notice.BrokerRefused, attrs...)
	} else {
		n.book.Tally(notice.BrokerRefused)
	}
}

// askAgain asks the broker whether it takes by now what it refused.
func (n *Node) askAgain() {
	if !n.state.up() {
		return
	}
	for _, c := range n.muted.questions() {
		n.outbox.ask(c)
	}
}

// refusal is what health says, and whether this node is refused as a whole.
func (n *Node) refusal() (whole bool, err error) {
	s := &n.interests
	s.mu.Lock()
	deaf, refusals, topics := s.deaf, s.refusals, len(s.table)
	var cause error
	lost := s.scar.cause
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
