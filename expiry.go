package bennu

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Events about the expiry of a connection.
const (
	// eventAccessToken is the event that a client pushes to renew its authentication, on any topic
	// it has joined or on "phoenix", with {"access_token": token}. See SocketHandler.Renew.
	eventAccessToken = "access_token"
	// eventTokenExpired is the event that is pushed to every joined channel, and on "phoenix", when
	// the authentication has expired, with {"closes_in": seconds}.
	eventTokenExpired = "token_expired"
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

// closesIn is the payload of token_expired.
type closesIn struct {
	Seconds int `json:"closes_in"`
}

// warning pushes token_expired to the channels of one socket, in the order of their topics. They
// may be more than the queue of the connection takes, so it waits until the client has read. A
// socket has at most one warning at a time.
type warning struct {
	s     *Socket
	last  *Channel        // the last channel that was told, or nil
	again bool            // start again with the first channel; guarded by Socket.mu
	low   <-chan struct{} // closed when the connection's queue has room
}

// warnOfExpiry pushes token_expired on "phoenix" and then to all channels. left is the time until
// the connection closes. If a warning still runs, that one starts again.
func (s *Socket) warnOfExpiry(left time.Duration) {
	p, err := encode(closesIn{int(math.Ceil(left.Seconds()))})
	if err != nil {
		return // numbers always encode
	}
	if f, err := pushFrame(s.serializer, &wire.Push{Topic: protocol.TopicPhoenix, Event: eventTokenExpired, Payload: p}); err == nil {
		s.conn.Send(f)
	} else {
		s.at(protocol.TopicPhoenix, eventTokenExpired).say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
	s.mu.Lock()
	runs := s.expiry.warning
	if runs != nil {
		runs.again = true
		s.mu.Unlock()
		return
	}
	w := &warning{s: s}
	s.expiry.warning = w
	s.mu.Unlock()
	if w.push(p) {
		s.node.tasks.Start(w)
	}
}

// Run continues a warning each time the queue has room. It ends at the latest when the connection
// ends, which closes low. It implements task.Runner.
func (w *warning) Run() {
	for {
		<-w.low
		w.s.mu.Lock()
		left := until(w.s.expiry.at) + w.s.handler.expiryGrace
		w.s.mu.Unlock()
		p, err := encode(closesIn{max(0, int(math.Ceil(left.Seconds())))})
		if err != nil || !w.push(p) {
			return // numbers always encode
		}
	}
}

// push tells as many channels as the queue has room for, and reports whether more are left.
func (w *warning) push(p Payload) bool {
	for c := w.next(); c != nil; c = w.next() {
		low, err := c.offer(eventTokenExpired, p.Data) // fails for a channel that is not joined; skip it
		if low != nil {
			w.low = low
			return true
		}
		if errors.Is(err, pace.ErrTooLarge) {
			_ = c.Push(eventTokenExpired, p) // logs it if it does not fit at all
		}
		w.last = c
	}
	return false
}

// next returns the channel to tell next. It returns nil when the warning is over: all channels are
// told, the connection has ended, or the authentication was renewed.
func (w *warning) next() *Channel {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.again {
		w.again, w.last = false, nil
	}
	i := 0
	if w.last != nil {
		var found bool
		if i, found = s.findLocked(w.last.topic); found {
			i++
		}
	}
	if s.closed || i == len(s.channels) || until(s.expiry.at) > 0 || s.expiry.at.IsZero() {
		s.expiry.warning = nil
		return nil
	}
	return s.channels[i]
}
