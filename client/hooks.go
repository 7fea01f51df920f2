package client

import (
	"log/slog"
	"slices"

	"github.com/bennu-go/bennu/internal/clientwire"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/wire"
)

// maxStates bounds the changes of state that wait for Trace.State.
const maxStates = 1000

// hook is a callback of OnMessage.
type hook struct{ f func(Message) }

// OnMessage calls f with every message that comes in, replies and those of unknown topics
// too: one at a time, in order, on a goroutine of its own. The payload of a reply is
// the object with status and response, or the bytes; no payload may be changed. The connection is made anew, for
// [ErrSlow], when more than Options.MaxQueued messages wait for f. off ends it.
func (s *Socket) OnMessage(f func(Message)) (off func()) {
	h := &hook{f}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(slices.Clip(s.hooks), h)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hooks = without(s.hooks, h)
	}
}

func (s *Socket) runHooks(it item) {
	s.mu.Lock()
	hooks := s.hooks
	s.mu.Unlock()
	for _, h := range hooks {
		s.guard(func() { h.f(it.message) })
	}
}

func (s *Socket) traceState(it item) {
	s.guard(func() { s.opts.Trace.State(it.channel, it.state, it.err) })
}

// hookLocked gives a message to the hooks, and reports false when they are too slow.
func (s *Socket) hookLocked(in *clientwire.Incoming) bool {
	if len(s.hooks) == 0 {
		return true
	}
	if !s.messages.takesLocked(in.Payload) {
		s.slowLocked(in.Topic, in.Event)
		return false
	}
	s.messages.postLocked(item{message: newMessage(in)})
	return true
}

// slowLocked says that a callback or an iterator is too slow. The program is told with ErrSlow,
// if it has asked to be.
func (s *Socket) slowLocked(topic, event string) {
	s.tasks.Go(func() { // no handler of the program's is called with the lock held
		notice.Of(s.opts.Logger).Say(notice.ClientSlow, notice.Foreign("topic", topic), notice.Foreign("event", event),
			slog.Int("limit", s.opts.MaxQueued), slog.Int("limit_bytes", s.opts.MaxQueuedBytes))
	})
}

func newMessage(in *clientwire.Incoming) Message {
	return Message{Topic: in.Topic, Event: in.Event, JoinRef: in.JoinRef.Text(), Ref: in.Ref.Text(), Payload: Payload(in.Payload)}
}

// receive brings a message to where it belongs.
func (s *Socket) receive(l *link, in *clientwire.Incoming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return // it went down meanwhile
	}
	l.heard = true
	if !s.hookLocked(in) {
		l.failLocked(ErrSlow, closeNormal, "")
		return
	}
	joinRef, ref := in.JoinRef, in.Ref.Text()
	switch in.Event {
	case wire.EventReply:
		if l.beat.ref != "" && l.beat.ref == ref {
			l.answeredLocked()
			return
		}
		if w := s.waiting[ref]; w != nil && w.topic == in.Topic {
			delete(s.waiting, ref)
			w.finish(nil)
			return
		}
	case wire.EventClose, wire.EventError:
		if joinRef.IsNull() && s.opts.Version == V1 {
			joinRef = in.Ref // where version 1 has it
		}
		for ref, w := range s.waiting {
			if w.joinRef != "" && w.joinRef == joinRef.Text() && w.topic == in.Topic {
				delete(s.waiting, ref)
				w.finish(nil)
			}
		}
	}
	list := s.topics[in.Topic]
	if len(list) > 1 {
		list = slices.Clone(list) // a channel that closes takes itself out
	}
	for _, ch := range list {
		if !joinRef.IsNull() && joinRef.Text() != ch.joinRef {
			continue // of a join before, or of another channel
		}
		ch.receiveLocked(in, ref)
	}
}

// without returns a list without one element, leaving the list itself as it is.
func without[T comparable](list []T, one T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return v == one })
}
