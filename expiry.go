package bennu

import (
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

// ErrExpired is the reason of a connection that was closed because its authentication was not
// renewed.
var ErrExpired = errors.New("bennu: the connection's authentication has expired")

// ExpireAt sets the time at which the client's authentication expires. At that time the client gets
// token_expired. If ExpireAt is not called again with a later time, as a successful Renew does, the
// connection closes with 1008 after SocketHandler.ExpiryGrace. The zero time means never, which is
// also the default.
func (s *Socket) ExpireAt(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Round removes the monotonic reading: a token expires by the wall clock.
	s.expiryLocked().at = t.Round(0)
	s.armLocked(until(t.Round(0)))
}

// expiry is the state of a socket whose authentication expires. Socket.mu guards it.
type expiry struct {
	at       time.Time   // when the authentication expires; zero is never
	timer    *time.Timer // calls expire
	renewing *renewal    // the one that runs, or nil
	warning  *warning    // the one that runs, or nil
}

// expiryLocked returns s.expiry and makes it if there is none.
func (s *Socket) expiryLocked() *expiry {
	if s.expiry == nil {
		s.expiry = new(expiry)
	}
	return s.expiry
}

// until returns how long it is until t, by the wall clock.
func until(t time.Time) time.Duration { return t.Sub(time.Now().Round(0)) }

// armLocked sets the timer to call expire after wait, or stops it if the connection has ended or
// the authentication never expires.
func (s *Socket) armLocked(wait time.Duration) {
	e := s.expiry
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if s.conn != nil && !s.closed && !e.at.IsZero() {
		e.timer = time.AfterFunc(wait, s.expire)
	}
}

// startExpiry starts the timer for the time that Connect has set. It is called when the connection
// opens.
func (s *Socket) startExpiry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry != nil {
		s.armLocked(until(s.expiry.at))
	}
}

// stopExpiry stops the timer and cancels a Renew that runs. It is called when the connection has
// ended.
func (s *Socket) stopExpiry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry == nil {
		return
	}
	s.armLocked(0)
	if r := s.expiry.renewing; r != nil {
		r.cancel()
		r.watchLocked()
	}
}

// expire is called by the timer. It warns the client at the time of expiry and closes the
// connection after the grace. Timers measure elapsed time and tokens expire by the wall clock, so
// it looks at the clock again, and sets the timer anew if it is too early.
func (s *Socket) expire() {
	grace := s.handler.expiryGrace
	s.mu.Lock()
	if s.closed || s.expiry.at.IsZero() {
		s.mu.Unlock()
		return
	}
	left := until(s.expiry.at)
	// The grace is over, too.
	if left <= -grace {
		s.mu.Unlock()
		s.at("", "").say(notice.Expired, slog.Int("code", int(transport.ClosePolicy)))
		s.close(transport.ClosePolicy, ErrExpired)
		return
	}
	// The next look is at the time of expiry, or after that at the end of the grace.
	wait := left
	if left <= 0 {
		wait = left + grace
	}
	s.armLocked(wait)
	s.mu.Unlock()
	if left <= 0 {
		s.warnOfExpiry(wait)
	}
}
