package bennu

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
)

// connecting is one call of Connect and ID. The call holds one of the slots of
// NodeLimits.Connects until it returns or its context ends. The slots bound the work after a
// restart, when many clients connect at once. A call that goes on after its context has ended
// counts as late and takes no slot from other mounts.
type connecting struct {
	s    *Socket
	said bool // a refusal has said why

	mu       sync.Mutex
	watchdog *time.Timer // of one that is late
	over     bool
}

type connectingKey struct{}

// run calls Connect and ID.
func (c *connecting) run(info *ConnectInfo) error {
	if !c.begin(info.Context()) {
		return transport.ErrBusy
	}
	s, h := c.s, c.s.handler
	ctx, cancel := context.WithTimeout(info.Context(), h.limits.ConnectTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, c.overrun)
	defer c.end(stop) // also when a callback panics
	if h.connect != nil {
		token := info.AuthToken
		if err := withoutNil(h.connect(context.WithValue(ctx, connectingKey{}, c), s, info)); err != nil {
			if c.said {
				return err
			}
			return s.refused(ctx, err, func(err error) slog.Attr {
				return slog.String("error", redact.Known(textOf(err), token, info.Params))
			})
		}
	}
	if h.id == nil {
		return nil
	}
	if s.id = h.id(s); s.id != "" && s.node.disconnects.since(s) {
		c.at().say(notice.Disconnected)
		return ErrRefused
	}
	return nil
}

// begin waits for a slot, and reports whether it has got one.
func (c *connecting) begin(ctx context.Context) bool {
	h, a := c.s.handler, c.s.node.admission
	// Each of them holds a file, so there may be no more of them than of those in time.
	if a.limits.Connects >= 0 && h.lateConnects.Load() >= int64(a.limits.Connects) {
		c.at().say(notice.LateConnects, slog.Int("limit", a.limits.Connects))
		return false
	}
	if !a.connects.Acquire(ctx) {
		if ctx.Err() != nil {
			c.at().say(notice.Gone)
		} else {
			c.at().say(notice.ConnectsBusy, slog.Int("limit", a.limits.Connects))
		}
		return false
	}
	return true
}

// overrun gives the slot back when the context has ended, and arms the watchdog.
func (c *connecting) overrun() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.s.handler.lateConnects.Add(1)
	c.s.node.admission.connects.Release()
	c.watchdog = time.AfterFunc(c.s.handler.limits.HandlerGrace, c.stuck)
}

func (c *connecting) stuck() {
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if over {
		return
	}
	// Not c.s, which Connect and ID may be about to change.
	s := &Socket{node: c.s.node, handler: c.s.handler, via: c.s.via, address: c.s.address}
	place{s: s, callback: "connect"}.say(notice.Stuck,
		slog.String("reason", "its context has ended"), slog.Any("stack", stackOf{c}))
}

// end follows the return of the callbacks.
func (c *connecting) end(stop func() bool) {
	stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.watchdog == nil {
		c.s.node.admission.connects.Release()
		return
	}
	c.watchdog.Stop()
	c.s.handler.lateConnects.Add(-1)
}

func (c *connecting) at() place { return c.s.at("", "") }

// refused logs and counts why Connect refused a connection, and returns the error for the
// transport. The function text makes a log attribute of an error and masks the token in it.
func (s *Socket) refused(ctx context.Context, err error, text func(error) slog.Attr) error {
	place := s.at("", "")
	switch {
	case errors.Is(err, ErrRefused):
		place.say(notice.ConnectRefused)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		// Whatever Connect was doing, it could not end it.
		place.say(notice.ConnectTimeout, slog.Duration("limit", s.handler.limits.ConnectTimeout), text(err))
		return transport.ErrBusy
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		place.say(notice.Gone)
	case errors.Is(err, transport.ErrBusy):
		place.say(notice.ConnectBusy, text(err))
	default:
		place.say(notice.ConnectError, text(err))
	}
	return err
}
