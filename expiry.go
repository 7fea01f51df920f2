package bennu

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Events about the expiry of a connection.
const (
	// EventAccessToken is pushed by a client, on any topic it has joined or on
	// "phoenix", with {"access_token": token}, to renew its authentication.
	EventAccessToken = "access_token"
	// EventTokenExpired is pushed to every joined channel, and on "phoenix", when the
	// authentication has expired, with {"closes_in": seconds}.
	EventTokenExpired = "token_expired"
)

// ErrExpired is the reason of a connection whose authentication was not renewed.
var ErrExpired = errors.New("bennu: the connection's authentication has expired")

// ExpireAt sets when the client's authentication expires: then it is warned with
// token_expired, and SocketHandler.ExpiryGrace later the connection closes with
// 1008, unless ExpireAt is called again with a later time, as it is after a
// successful Renew. The zero time means never, which is also the default.
func (s *Socket) ExpireAt(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Without its monotonic part: a token expires by the clock on the wall.
	s.expiryLocked().at = t.Round(0)
	s.armLocked(until(t.Round(0)))
}

// expiry is the authentication's end of one socket, guarded by the socket's lock.
type expiry struct {
	at       time.Time
	timer    *time.Timer
	renewing *renewal // that runs, or nil
	warning  *warning // that runs, or nil
}

func (s *Socket) expiryLocked() *expiry {
	if s.expiry == nil {
		s.expiry = new(expiry)
	}
	return s.expiry
}

func until(t time.Time) time.Duration { return t.Sub(time.Now().Round(0)) }

// armLocked makes expire look at the clock after a while, and at no other time.
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

// startExpiry arms what Connect has set.
func (s *Socket) startExpiry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry != nil {
		s.armLocked(until(s.expiry.at))
	}
}

// stopExpiry is called when the socket is closed.
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

// expire warns at the time of expiry and closes after the grace. A timer measures
// the time that passed, and tokens go by the wall, so the clock is asked again.
func (s *Socket) expire() {
	grace := s.handler.expiryGrace
	s.mu.Lock()
	if s.closed || s.expiry.at.IsZero() {
		s.mu.Unlock()
		return
	}
	left := until(s.expiry.at)
	if left <= -grace {
		s.mu.Unlock()
		s.at("", "").say(notice.Expired, slog.Int("code", int(transport.ClosePolicy)))
		s.close(transport.ClosePolicy, ErrExpired)
		return
	}
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

type closesIn struct {
	Seconds int `json:"closes_in"`
}

// warning tells the channels of one socket, in the order of their topics, that its
// authentication has expired. There may be more of them than the connection's queue takes, so
// it goes at the pace of the client. A socket has one at most.
type warning struct {
	s     *Socket
	last  *Channel        // that was told
	again bool            // begin with the first channel once more; guarded by the socket's lock
	low   <-chan struct{} // of the connection's queue, to wait for
}

// warnOfExpiry tells "phoenix", and then the channels. A warning that still runs begins again.
func (s *Socket) warnOfExpiry(left time.Duration) {
	p, err := encode(closesIn{int(math.Ceil(left.Seconds()))})
	if err != nil {
		return // numbers always encode
	}
	if f, err := pushFrame(s.serializer, &wire.Push{Topic: wire.TopicPhoenix, Event: EventTokenExpired, Payload: p}); err == nil {
		s.conn.Send(f)
	} else {
		s.at(wire.TopicPhoenix, EventTokenExpired).say(notice.NotEncoded, slog.String("error", textOf(err)))
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

// Run is called by the task group. It ends with the connection at the latest.
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

// push tells as many channels as the queue has room for, and reports whether there are more.
func (w *warning) push(p Payload) bool {
	for c := w.next(); c != nil; c = w.next() {
		low, err := c.offer(EventTokenExpired, p.Data) // one that is not joined has nobody to warn
		if low != nil {
			w.low = low
			return true
		}
		if errors.Is(err, pace.ErrTooLarge) {
			_ = c.Push(EventTokenExpired, p) // which says so if it does not fit at all
		}
		w.last = c
	}
	return false
}

// next is the channel to be told next. When it is nil the warning is over: all are told, the
// connection has ended, or its authentication was renewed.
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
