package bennu

import (
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/rate"
	"github.com/bennu-go/bennu/transport"
)

// ErrTooFast is the reason of a connection that was closed because its client kept sending faster
// than Limits.MessageRate.
var ErrTooFast = errors.New("bennu: client sends too fast")

const (
	// throttlePatience is how long a client may keep sending too fast before it is closed.
	throttlePatience = 10 * time.Second
	// throttleBreath is the least pause after which a client counts as one that has slowed down: for
	// so long nothing arrives, although it is read again. It is not zero because timers may be late.
	throttleBreath = 100 * time.Millisecond
)

// throttle applies Limits.MessageRate to one connection: it reads no faster than the rate. How fast
// the client sends cannot be seen then. So a client counts as too fast ("pressing") if its next
// message is waiting already each time it may be read again. Only the goroutine that reads uses it.
type throttle struct {
	bucket   rate.Bucket
	pressing bool
	since    time.Duration // when pressing began, on the node's clock
	until    time.Duration // when the client may be read again, or last could
}

// slowDown counts a message. If the client is too fast, the connection must not read on before
// ready is closed. ok is false if the client has been too fast for too long: then it is closed, and
// the message dropped.
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
