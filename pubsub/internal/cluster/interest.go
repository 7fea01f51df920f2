package cluster

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
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

	refusals    int         // topics that the broker refuses
	refusalNews []*interest // of these, who was not told of yet
	scar        scar
	deaf        error         // why this node as a whole is refused
	deafAt      time.Time     // when that was said last
	deafNews    bool          // and nobody was told yet
	deafened    chan struct{} // closed when deaf is set, made anew when it is not any more
}

// interest is one topic.
type interest struct {
	topic, channel string
	wanted         bool
	listed         bool          // in changed
	subscribed     bool          // at the link; keepInterests alone changes it
	ready          chan struct{} // nil when confirmed
	refused        error         // why it does not arrive
	afresh         bool          // that was said since the last try
	said           bool          // there is a line in the log about it; keepInterests alone uses it
	over           chan struct{} // ready, when it is not shared since the topic was refused
	sources        sources
	moment         uint64        // when this interest was taken; see floors
	sync           atomic.Uint64 // which sync has confirmed it; 0 when there was none
	gone           atomic.Bool   // given up; interest in the topic from now on is another
}

func (s *interests) init() {
	s.table = make(map[string]*interest)
	s.news = make(chan struct{}, 1)
	s.deafened = make(chan struct{})
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
		it = &interest{topic: strings.Clone(topic), channel: channel, moment: n.peers.moment()}
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

// turn is what keepInterests does at one time.
type turn struct {
	retry, heard bool // what is refused is due, and the node as a whole is not refused
	add          []*interest
	refused      []*interest // refused before, to be tried again
	drop         []string
	ready        chan struct{}
	gapped       error
}

// keepInterests tells the link what has changed, all at once, and waits until that
// is confirmed. What changes meanwhile is its next turn. What the broker refuses is tried
// again after a pause.
func (n *Node) keepInterests(ctx context.Context) {
	s := &n.interests
	again := time.NewTimer(refusalPause)
	defer again.Stop()
	most := refusalTurn
	for ctx.Err() == nil {
		retry := false
		select {
		case <-s.news:
		case <-again.C:
			retry = true
			again.Reset(refusalPause)
			n.askAgain()
			if !s.anyRefused() {
				continue
			}
		case <-ctx.Done():
			return
		}
		t := n.takeTurn(retry, most)
		n.takeBack(t)
		if !n.confirm(ctx, t.add) || !n.confirm(ctx, t.refused) {
			return
		}
		if t.gapped != nil && t.gapped != errLate && !s.isDeaf() {
			// The other nodes may have forgotten this one's interest. Who is told of the gap
			// must miss nothing from then on.
			n.sync(ctx, s.all(), false)
		}
		regained := s.settle(append(t.add, t.refused...))
		if most = refusalTurn; retry && len(regained) > 0 { // and so may the others
			most = math.MaxInt
			again.Reset(0)
		}
		n.tellTurn(t, regained)
	}
}

// takeTurn takes what has changed, and with retry at most so many of the topics that are
// refused.
func (n *Node) takeTurn(retry bool, most int) *turn {
	s := &n.interests
	t := &turn{retry: retry, heard: !retry || n.listen()}
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := false
	for _, it := range s.changed {
		it.listed = false
		switch {
		case !it.wanted:
			if it.subscribed {
				t.drop = append(t.drop, it.channel)
			}
			s.deleteLocked(it)
			gone = true
		case it.ready != nil && it.refused == nil:
			t.add = append(t.add, it)
		}
	}
	s.changed = nil
	if gone {
		n.peers.newMoment() // before s.mu is free, and interest may be taken again
	}
	if retry && t.heard {
		t.refused = s.refusedLocked(most)
	}
	t.ready, t.gapped = s.ready, s.gapped
	s.ready, s.gapped = nil, nil
	return t
}

// deleteLocked forgets a topic that nobody wants any more.
func (s *interests) deleteLocked(it *interest) {
	if it.ready != nil { // nobody shall wait for it
		s.pending--
	}
	if it.refused != nil && s.deaf == nil {
		s.scar = scar{it.topic, it.channel, it.refused}
	}
	s.regainedLocked(it)
	delete(s.table, it.channel)
	it.gone.Store(true)
}

// takeBack takes back the interest that is given up.
func (n *Node) takeBack(t *turn) {
	if len(t.drop) > 0 {
		if err := n.link.Unsubscribe(t.drop); err != nil {
			n.book.Say(notice.BrokerInterestKept, slog.Any("error", err), slog.Int("topics", len(t.drop)))
		}
	}
	if t.retry && t.heard {
		n.tryScar()
	}
}

// tellTurn tells what has come of a turn: refusals, confirmations, then gaps.
func (n *Node) tellTurn(t *turn, regained []*interest) {
	if t.retry || n.interests.untold() {
		n.tellRefusals()
	}
	if t.ready != nil {
		close(t.ready)
	}
	for _, it := range regained {
		if it.said {
			it.said = false
			n.book.Say(notice.BrokerTopicBack, notice.Foreign("topic", it.topic))
		}
		n.receiver.Gap(pubsub.Gap{Topic: it.topic, Cause: errRegained})
	}
	if t.gapped != nil {
		n.stats.gaps.Add(1)
		n.receiver.Gap(pubsub.Gap{Cause: t.gapped})
	}
}

// settle notes which topics the broker has confirmed: those that it did not refuse. It
// returns the ones that it had refused before.
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

// confirm returns when no message to these topics can be missed any more, or the broker has
// refused them; or false when ctx has ended. While the broker is away it waits.
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

// all is every topic.
func (s *interests) all() []*interest {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*interest, 0, len(s.table))
	for _, it := range s.table {
		list = append(list, it)
	}
	return list
}

func (s *interests) isDeaf() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaf != nil
}

// subscribe asks the link for topics once, and reports whether it has said yes or no.
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
