package presence

import (
	"log/slog"
	"sync"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/tracker"
)

// owners is who tracks something on this node.
type owners struct {
	tracker func() *tracker.Tracker

	mu       sync.Mutex
	next     tracker.Owner
	channels map[*bennu.Channel]*owner
	allowed  allowances
}

// owner is a channel, or something else.
type owner struct {
	id tracker.Owner
	ch *bennu.Channel // nil for anything else

	mu    sync.Mutex // held while a change is made: none comes after the end
	ended bool
}

// about makes the attributes of a line about a change: its topic, the client where there is
// one, then attrs.
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

// of is a channel as an owner, or nil when it has ended.
func (s *owners) of(ch *bennu.Channel) *owner {
	s.mu.Lock()
	o := s.channels[ch]
	s.mu.Unlock()
	if o != nil {
		return o
	}
	o = s.add(ch)
	ch.AfterEnd(func() { s.end(o) })
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return nil
	}
	return o
}

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

// end lets everything of an owner leave. Calls after the first have no effect.
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

// allow takes one change from what the owner's connection may make.
func (s *owners) allow(o *owner) bool {
	if o.ch == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.allowed.take(o.ch.Socket())
}
