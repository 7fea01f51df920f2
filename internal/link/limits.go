package link

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// Defaults of transport.LinkOptions.
const (
	defaultMaxMessage       = 1 << 20
	defaultIdleTimeout      = 75 * time.Second
	defaultWriteTimeout     = 10 * time.Second
	defaultCloseLinger      = time.Second
	defaultMaxQueueBytes    = 4 << 20
	defaultMaxQueueMessages = 2048
)

// limits are transport.LinkOptions with their defaults filled in.
type limits struct {
	maxMessage int
	queueBytes int
	queueMsgs  int
	idle       time.Duration // 0 is none
	write      time.Duration // 0 is none
	linger     time.Duration
}

// resolve returns the limits of options; nil means the defaults. The defaults of the first three
// are in mount, where they fit the mount's other transports.
func resolve(o *transport.LinkOptions, mount *seam.Bounds) (*limits, error) {
	if o == nil {
		o = &transport.LinkOptions{}
	}
	c := &option.Checker{Of: "LinkOptions."}
	span := func(name string, v, def time.Duration) time.Duration {
		if v = c.Duration(name, v, def, option.MaxDuration); v == option.Forever {
			return 0
		}
		return v
	}
	count := func(name string, v int, b *seam.Bound) int {
		def := cmp.Or(b.Value, b.Default)
		if def == option.Unlimited {
			def = option.None
		}
		return c.Count(name, v, def, option.MaxCount)
	}
	l := &limits{
		maxMessage: count("MaxMessage", o.MaxMessage, &mount.Message),
		queueBytes: count("MaxQueueBytes", o.MaxQueueBytes, &mount.QueueBytes),
		queueMsgs:  count("MaxQueueMessages", o.MaxQueueMessages, &mount.QueueMessages),
		idle:       span("IdleTimeout", o.IdleTimeout, defaultIdleTimeout),
		write:      span("WriteTimeout", o.WriteTimeout, defaultWriteTimeout),
		linger:     c.Finite("CloseLinger", o.CloseLinger, defaultCloseLinger, option.MaxDuration),
	}
	if c.Err != nil {
		return nil, c.Err
	}
	return l, l.relate(o)
}

// relate makes the bounds of a message and of the queue fit each other: a client must be able to
// receive what another may send. A bound that is not set gets a value that fits the other. Bounds
// that are set and do not fit are an error. Package bennu does the same for the transports of a
// mount.
func (l *limits) relate(o *transport.LinkOptions) error {
	switch {
	case o.MaxQueueMessages == 1:
		return errors.New("LinkOptions.MaxQueueMessages is 1, and a join that replaces another has two messages for its client; set it to 2 or more")
	case o.MaxMessage == option.Unlimited && o.MaxQueueBytes > 0:
		return fmt.Errorf("LinkOptions.MaxMessage is Unlimited, and MaxQueueBytes is %d, so a message of one client may not fit the queue of another; give MaxMessage a number, or make MaxQueueBytes Unlimited too", o.MaxQueueBytes)
	case o.MaxMessage > 0 && o.MaxQueueBytes > 0 && o.MaxQueueBytes < o.MaxMessage+margin:
		return fmt.Errorf("LinkOptions.MaxQueueBytes is %d, and a client may send %d bytes (MaxMessage), which would not fit the queue together with topic and event; set MaxQueueBytes to %d or more, or MaxMessage to %d or less",
			o.MaxQueueBytes, o.MaxMessage, o.MaxMessage+margin, max(1, o.MaxQueueBytes-margin))
	case o.MaxQueueBytes == 0 && l.maxMessage != option.None:
		l.queueBytes = max(l.queueBytes, l.maxMessage+margin)
	case o.MaxMessage == 0:
		l.maxMessage = min(l.maxMessage, max(1, l.queueBytes-margin, l.queueBytes/2))
	}
	return nil
}

// margin is how many bytes larger than a client's message the frame may be that broadcasts its
// payload. Package bennu has the same number.
const margin = 1 << 10

// attrs returns the limits as log attributes.
func (l *limits) attrs() []slog.Attr {
	return []slog.Attr{
		bound("max_message", l.maxMessage),
		bound("max_queue_bytes", l.queueBytes), bound("max_queue_messages", l.queueMsgs),
		slog.Duration("idle_timeout", l.idle), slog.Duration("write_timeout", l.write),
		slog.Duration("close_linger", l.linger),
	}
}

// bound returns a limit as a log attribute.
func bound(name string, n int) slog.Attr {
	if n == option.None {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}
