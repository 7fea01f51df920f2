package cluster

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

const (
	// maxMuted bounds the remembered channels to which this node may not publish, and mutedTurn
	// those that are tried at a time.
	maxMuted  = 1024
	mutedTurn = 64
	// mutedPause is the time between two log lines about one of these channels. Presence publishes every
	// second or so.
	mutedPause = time.Minute
)

// muted are the channels to which this node may not publish.
type muted struct {
	any      atomic.Bool // there are some
	mu       sync.Mutex
	channels map[string]*mute
	asked    map[string]bool // channels with a question on the way
	cause    error           // the last refusal
}

// mute is one channel.
type mute struct {
	cause error
	said  time.Time // of the last log line
}

// check returns the refusal of a channel, or nil.
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

// due reports whether a log line about a channel is due, and notes that it is written.
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

// add notes a refusal.
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

// answered notes that the broker has accepted a question, and reports whether the channel was refused.
func (m *muted) answered(channel string) (was bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was = m.channels[channel] != nil
	delete(m.channels, channel)
	delete(m.asked, channel)
	m.any.Store(len(m.channels) > 0)
	return was
}

// questions returns channels for which a question is due.
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

// state returns the number of channels and the last refusal.
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

// unsent notes that this node may not publish to a channel. From now on, publishing to it returns an
// error.
func (n *Node) unsent(channel string, cause error) {
	n.muted.add(channel, cause)
	n.echoes.refuse(cause)
	n.sayRefused(channel, slog.Any("error", cause), notice.Foreign("channel", channel))
	s := &n.interests
	s.mu.Lock()
	defer s.mu.Unlock()
	if channel == n.control { // the others do not hear this node, and give it up
		s.deafLocked(cause)
	}
	s.wake()
}

// sayRefused logs a refused message, once in mutedPause for a channel.
func (n *Node) sayRefused(channel string, attrs ...slog.Attr) {
	if n.muted.due(channel) {
		n.book.Say(notice.BrokerRefused, attrs...)
	} else {
		n.book.Tally(notice.BrokerRefused)
	}
}

// askAgain queues questions for refused channels.
func (n *Node) askAgain() {
	if !n.state.up() {
		return
	}
	for _, c := range n.muted.questions() {
		n.outbox.ask(c)
	}
}
