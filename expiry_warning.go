package bennu

import (
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// eventTokenExpired is the event that is pushed to every joined channel, and on "phoenix", when the
// authentication has expired, with {"closes_in": seconds}.
const eventTokenExpired = "token_expired"

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
