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

// connecting is one call of Connect and ID. It holds one of the slots of NodeLimits.Connects until
// the callbacks return or their context ends. The slots bound the work after a restart, when many
// clients connect at once. A call that runs on after its context has ended counts as late for its
// mount, and takes no slot from other mounts.
type connecting struct {
	s    *Socket
	said bool // the refusal is logged already; only the goroutine of run uses it

	mu       sync.Mutex  // guards the fields below
	watchdog *time.Timer // set when the call is late
	over     bool        // the callbacks have returned
}

// connectingKey is the key of the *connecting in the context of Connect.
type connectingKey struct{}

// run calls Connect and ID. The transport answers with the error.
func (c *connecting) run(info *ConnectInfo) error {
	if !c.begin(info.Context()) {
		return transport.ErrBusy
	}
	s, h := c.s, c.s.handler
	ctx, cancel := context.WithTimeout(info.Context(), h.limits.ConnectTimeout)
	defer cancel()
	// overrun runs in another goroutine, so Connect may run on while the slot goes to another call.
	stop := context.AfterFunc(ctx, c.overrun)
	defer c.end(stop) // also when a callback panics
	if h.connect != nil {
		token := info.AuthToken
		if err := withoutNil(h.connect(context.WithValue(ctx, connectingKey{}, c), s, info)); err != nil {
			if c.said {
				return err
			}
			return s.sayRefused(ctx, err, func(err error) slog.Attr {
				return slog.String("error", redact.Known(textOf(err), token, info.Params))
			})
		}
	}
	if h.id == nil {
		return nil
	}
	// Now, before the handshake: Opened looks once more, for a disconnect that comes in between.
	if s.id = h.id(s); s.id != "" && s.node.disconnects.since(s) {
		c.at().say(notice.Disconnected)
		return ErrRefused
	}
	return nil
}

// begin waits for a slot, admissionWait at most, and reports whether it got one. If not, it logs
// why.
func (c *connecting) begin(ctx context.Context) bool {
	h, a := c.s.handler, c.s.node.admission
	// Late calls hold open files, so they have a bound too: the same as the slots.
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

// overrun is called when the context has ended: it releases the slot, counts the call as late, and
// starts the watchdog.
func (c *connecting) overrun() {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The callbacks returned at the same moment, and end has released the slot.
	if c.over {
		return
	}
	c.s.handler.lateConnects.Add(1)
	c.s.node.admission.connects.Release()
	c.watchdog = time.AfterFunc(c.s.handler.limits.HandlerGrace, c.stuck)
}

// stuck logs a late call that still runs after Limits.HandlerGrace, with its stack.
func (c *connecting) stuck() {
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if over {
		return
	}
	// A copy, since Connect and ID may be changing c.s at this moment.
	s := &Socket{node: c.s.node, handler: c.s.handler, via: c.s.via, address: c.s.address}
	place{s: s, callback: "connect"}.say(notice.Stuck,
		slog.String("reason", "its context has ended"), slog.Any("stack", stackOf{c}))
}

// end is called when the callbacks have returned or panicked. stop keeps overrun from being called.
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

// sayRefused counts and logs why Connect refused a connection, and returns the error for the
// transport. The function text makes a log attribute of an error and masks the token in it.
func (s *Socket) sayRefused(ctx context.Context, err error, text func(error) slog.Attr) error {
	place := s.at("", "")
	switch {
	case errors.Is(err, ErrRefused):
		place.say(notice.ConnectRefused)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		// An effect of the timeout, whatever the error says.
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
