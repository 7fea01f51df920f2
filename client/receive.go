package client

import (
	"log/slog"
	"slices"

	"github.com/bennu-go/bennu/internal/clientwire"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
)

// maxStates bounds the changes of state that wait for Trace.State. Further ones are dropped.
const maxStates = 1000

// traceState calls Trace.State. It is called only if that is set.
func (s *Socket) traceState(it item) {
	s.guard(func() { s.opts.Trace.State(it.channel, it.state, it.err) })
}

// slowLocked logs that a callback or an iterator is too slow. It does so in a goroutine, since a
// slog.Handler of the program must not run with the lock held.
func (s *Socket) slowLocked(topic, event string) {
	s.tasks.Go(func() {
		notice.Of(s.opts.Logger).Say(notice.ClientSlow, notice.Foreign("topic", topic), notice.Foreign("event", event),
			slog.Int("limit", s.opts.MaxQueued), slog.Int("limit_bytes", s.opts.MaxQueuedBytes))
	})
}

// newMessage makes the Message for callbacks. It does not copy the payload.
func newMessage(in *clientwire.Incoming) Message {
	return Message{Topic: in.Topic, Event: in.Event, JoinRef: in.JoinRef.Text(), Ref: in.Ref.Text(), Payload: in.Payload}
}

// receive gives a message to the heartbeat, leave or channel that it is for. It drops messages of an
// earlier join, whose join_ref is not that of the channel. A broadcast has no join_ref and goes to the
// channels of its topic.
func (s *Socket) receive(l *link, in *clientwire.Incoming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return // the connection went down meanwhile
	}
	l.heard = true
	joinRef, ref := in.JoinRef, in.Ref.Text()
	switch in.Event {
	case protocol.EventReply:
		if l.beat.ref != "" && l.beat.ref == ref {
			l.answeredLocked()
			return
		}
		if w := s.waiting[ref]; w != nil && w.topic == in.Topic {
			delete(s.waiting, ref)
			w.finish(nil)
			return
		}
	case protocol.EventClose, protocol.EventError:
		if joinRef.IsNull() && s.opts.Version == version1 {
			joinRef = in.Ref // version 1 has no join_ref; these two events have it as their ref
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
			continue // of an earlier join, or of another channel
		}
		ch.receiveLocked(in, ref)
	}
}

// without returns a copy of list without one element.
func without[T comparable](list []T, one T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return v == one })
}
