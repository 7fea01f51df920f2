package bennu

import (
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/rate"
	"github.com/bennu-go/bennu/transport"
)

// ErrTooFast is the reason of a connection whose client went on to send faster than
// Limits.MessageRate.
var ErrTooFast = errors.New("bennu: client sends too fast")

const (
	// throttlePatience is how long a client may press against its rate.
	throttlePatience = 10 * time.Second
	// throttleBreath is how long a client that may be read again must have nothing
	// to read to count as one that has slowed down. A timer may be late, so it is not
	// zero.
	throttleBreath = 100 * time.Millisecond
)

// throttle is a connection's place in Limits.MessageRate. A client that is read no
// faster than that never seems too fast, so what counts is whether its next message
// waits already each time it may be read again.
type throttle struct {
	bucket   rate.Bucket
	pressing bool
	since    time.Duration // when pressing began
	until    time.Duration // when it may be read again, or could be last
}

// slowDown counts a message. Too fast a client is given a channel to wait for before
// the next, and in the end closed: then ok is false.
func (s *Socket) slowDown() (ready <-chan struct{}, ok bool) {
	perSecond := s.handler.limits.MessageRate
	if perSecond <= 0 {
		return nil, true
	}
	if s.throttle == nil {
		s.throttle = new(throttle)
	}
	t := s.throttle
	now := s.node.now()
	t.bucket.Take(now, perSecond, perSecond)
	wait := t.bucket.Wait(now, perSecond, perSecond)
	if t.pressing && now-t.until > throttleBreath {
		t.pressing = false
	}
	switch {
	case wait == 0:
		return nil, true
	case !t.pressing:
		t.pressing, t.since = true, now
	case now-t.since > throttlePatience:
		s.at("", "").say(notice.MessageRate, slog.Int("limit", perSecond), slog.Int("code", int(transport.ClosePolicy)))
		s.close(transport.ClosePolicy, ErrTooFast)
		return nil, false
	}
	wait++ // it was rounded down
	t.until = now + wait
	resume := make(chan struct{})
	time.AfterFunc(wait, func() { close(resume) })
	return resume, true
}
