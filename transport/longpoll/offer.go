package longpoll

import (
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// A session has this ability; see package ability.
var _ ability.Offerer = (*session)(nil)

// low reports whether at most a quarter of the outbox is in use.
func (o *outbox) low(l *limits) bool {
	return o.bytes <= l.bufferBytes/4 && o.messages() <= l.bufferMsgs/4
}

// spares reports whether at least half of the outbox stays free with another message of n bytes. A
// low one takes any message for which Offer does not return pace.ErrTooLarge.
func (o *outbox) spares(n int, l *limits) bool {
	return o.low(l) || n <= l.bufferBytes/2-o.bytes && o.messages() < l.bufferMsgs/2
}

// Offer implements ability.Offerer: it is Send for a frame that can wait; see pace.Offer.
func (s *session) Offer(f transport.Frame) (again <-chan struct{}, err error) {
	if len(f.Bytes()) == 0 || f.Opcode() != wire.Text {
		if !s.Send(f) {
			err = pace.ErrClosed
		}
		return nil, err
	}
	m := f.Payload()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return nil, pace.ErrClosed
	case len(m) > s.mount.lim.bufferBytes/4*3:
		return nil, pace.ErrTooLarge
	case !s.box.spares(len(m), s.mount.lim):
		return s.waitersLocked().Low(), nil
	}
	s.queueLocked(m)
	return nil, nil
}

// Low implements ability.Offerer. It returns nil when the outbox is low or the session has ended;
// see pace.Low.
func (s *session) Low() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isLowLocked() {
		return nil
	}
	return s.waitersLocked().Low()
}

// OnLow implements ability.Offerer.
func (s *session) OnLow(f func()) (low bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isLowLocked() {
		return true
	}
	s.waitersLocked().Call(f)
	return false
}

// isLowLocked reports whether the outbox is low or the session has ended.
func (s *session) isLowLocked() bool { return s.ended || s.box.low(s.mount.lim) }

// waitersLocked returns those that lowLocked wakes.
func (s *session) waitersLocked() *pace.Waiters {
	if s.low == nil {
		s.low = new(pace.Waiters)
	}
	return s.low
}

// lowLocked wakes those who wait, if the outbox is low or the session has ended.
func (s *session) lowLocked() {
	if s.low != nil && s.isLowLocked() {
		s.low.Wake(&s.srv.tasks)
		s.low = nil
	}
}
