package presence

import (
	"log/slog"
	"sync"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/tracker"
)

// owners are the owners on this node.
type owners struct {
	tracker func() *tracker.Tracker // a function, since the tracker starts later

	mu       sync.Mutex
	next     tracker.Owner             // number of owners made
	channels map[*bennu.Channel]*owner // those that have not ended
	allowed  allowances
}

// owner is an owner of entries: a channel, or one that NewOwner made.
type owner struct {
	id tracker.Owner
	ch *bennu.Channel // nil for one that NewOwner made

	mu    sync.Mutex // held during a change, so that none is made after the end
	ended bool
}

// about returns the attributes of a log line about a change: the topic, the socket id if there is one,
// and attrs.
func (o *owner) about(topic string, attrs ...slog.Attr) []slog.Attr {
	list := []slog.Attr{notice.Foreign("topic", topic)}
	if o.ch != nil && o.ch.Socket().ID() != "" {
		list = append(list, notice.Foreign("socket_id", o.ch.Socket().ID()))
	}
	return append(list, attrs...)
}

func newOwners(t func() *tracker.Tracker, allowed allowances) *owners {
	return &owners{tracker: t, channels: make(map[*bennu.Channel]*owner), allowed: allowed}
}

// of returns the owner of a channel, or nil if the channel has ended.
func (s *owners) of(ch *bennu.Channel) *owner {
	s.mu.Lock()
	o := s.channels[ch]
	s.mu.Unlock()
	if o != nil {
		return o
	}
	o = s.add(ch)
	// If the channel has ended, the function runs now. Two concurrent callers both register it; the
	// second call of end then has no effect.
	ch.AfterEnd(func() { s.end(o) })
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return nil
	}
	return o
}

// add returns the owner of ch, which it makes if there is none. If ch is nil, it makes one that is not a
// channel.
func (s *owners) add(ch *bennu.Channel) *owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch != nil && s.channels[ch] != nil {
		return s.channels[ch]
	}
	s.next++
	o := &owner{id: s.next, ch: ch}
	if ch != nil {
		s.channels[ch] = o
		s.allowed.open(ch.Socket())
	}
	return o
}

// end removes the entries of an owner. Only the first call has an effect.
func (s *owners) end(o *owner) {
	o.mu.Lock()
	over := o.ended
	o.ended = true
	o.mu.Unlock()
	if over {
		return
	}
	s.tracker().UntrackOwner(o.id)
	if o.ch == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.channels, o.ch)
	s.allowed.close(o.ch.Socket())
}

// allow reports whether the connection of an owner may make one more change.
func (s *owners) allow(o *owner) bool {
	if o.ch == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.allowed.take(o.ch.Socket())
}
