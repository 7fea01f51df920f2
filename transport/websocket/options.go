package websocket

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"
)

// Unlimited switches a limit off. It must be written out, because 0 always
// means the default.
const Unlimited = -1

// Defaults of the limits in Options.
const (
	DefaultMaxMessage       = 1 << 20
	DefaultMaxFragments     = 128
	DefaultMaxControlRate   = 20
	DefaultIdleTimeout      = 60 * time.Second
	DefaultWriteTimeout     = 10 * time.Second
	DefaultCloseLinger      = time.Second
	DefaultMaxQueueBytes    = 1 << 20
	DefaultMaxQueueMessages = 2048
)

// ServerConfig configures a Server. The zero value and a nil pointer mean the
// defaults.
type ServerConfig struct {
	// Logger takes what was refused, dropped or closed and why, and panics of acceptors
	// and receivers. Nil means slog.Default.
	Logger *slog.Logger
	// FlushWorkers is how many goroutines may write at once. 0 means
	// GOMAXPROCS at the time the server is made. They run only while there is
	// something to write.
	FlushWorkers int
	// NoEpoll gives every connection a goroutine that waits for its socket. By default,
	// on Linux, connections over plain TCP have none while nothing comes; they take a
	// fifth of the memory and behave the same. TLS and other systems always have one.
	NoEpoll bool
}

// Options configures the connections of one mount. The zero value and a nil pointer mean the
// defaults. For each limit 0 means its default and Unlimited none; any other
// negative value is an error.
type Options struct {
	// MaxMessage bounds one message from the client in bytes, all fragments
	// together. A longer one closes the connection with 1009, before its
	// payload is read. Default 1 MiB.
	MaxMessage int
	// MaxFragments bounds the frames of one message, empty ones included. More
	// close the connection with 1008. Default 128.
	MaxFragments int
	// MaxControlRate bounds pings and pongs from the client in any one second.
	// More close the connection with 1008. Default 20.
	MaxControlRate int
	// IdleTimeout closes the connection with 1002 when nothing at all arrived
	// for so long. What the server sends does not count, nor does time during
	// which the receiver held reading back. Default 60 s.
	IdleTimeout time.Duration
	// WriteTimeout ends the connection when the client takes nothing for so
	// long while something is to be written. It also bounds how long a closing
	// connection may take to write what is queued. Default 10 s.
	WriteTimeout time.Duration
	// CloseLinger is how long a closed connection waits for the client to
	// close its side, so that the close code is not lost. Default 1 s;
	// Unlimited is not allowed.
	CloseLinger time.Duration
	// MaxQueueBytes and MaxQueueMessages bound what waits to be written to the
	// client, what is being written included. A frame that would pass a bound
	// closes the connection with 1013. Defaults 1 MiB and 2,048.
	MaxQueueBytes    int
	MaxQueueMessages int

	// ErrorHandler answers a request that the acceptor refused with a reason,
	// that is, with an error other than transport.ErrRefused and
	// transport.ErrBusy. It must write the whole response. Nil answers 403
	// with an empty body.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
}

// noLimit stands for Unlimited in resolved limits.
const noLimit = int(^uint(0) >> 1)

// limits are the resolved limits of a mount, shared by its connections.
type limits struct {
	maxMessage   int
	maxFragments int
	controlRate  int
	queueBytes   int
	queueMsgs    int
	idle         time.Duration // 0 is none
	write        time.Duration // 0 is none
	linger       time.Duration
}

func (o *Options) limits() (*limits, error) {
	if o == nil {
		o = &Options{}
	}
	var first error
	count := func(name string, v, def int) int {
		switch {
		case v == 0:
			return def
		case v == Unlimited:
			return noLimit
		case v < 0 && first == nil:
			first = fmt.Errorf("websocket: option %s is %d; use 0 for the default or Unlimited", name, v)
		}
		return v
	}
	span := func(name string, v, def time.Duration) time.Duration {
		switch {
		case v == 0:
			return def
		case v == Unlimited:
			return 0
		case v < 0 && first == nil:
			first = fmt.Errorf("websocket: option %s is %v; use 0 for the default or Unlimited", name, v)
		}
		return v
	}
	l := &limits{
		maxMessage:   count("MaxMessage", o.MaxMessage, DefaultMaxMessage),
		maxFragments: count("MaxFragments", o.MaxFragments, DefaultMaxFragments),
		controlRate:  count("MaxControlRate", o.MaxControlRate, DefaultMaxControlRate),
		queueBytes:   count("MaxQueueBytes", o.MaxQueueBytes, DefaultMaxQueueBytes),
		queueMsgs:    count("MaxQueueMessages", o.MaxQueueMessages, DefaultMaxQueueMessages),
		idle:         span("IdleTimeout", o.IdleTimeout, DefaultIdleTimeout),
		write:        span("WriteTimeout", o.WriteTimeout, DefaultWriteTimeout),
		linger:       span("CloseLinger", o.CloseLinger, DefaultCloseLinger),
	}
	if l.linger == 0 && first == nil {
		first = fmt.Errorf("websocket: option CloseLinger cannot be Unlimited")
	}
	return l, first
}

// Limits are the effective limits of the mount, for a server's log.
func (h *Handler) Limits() []slog.Attr {
	l := h.lim
	return []slog.Attr{
		bound("max_message", l.maxMessage), bound("max_fragments", l.maxFragments), bound("max_control_rate", l.controlRate),
		bound("max_queue_bytes", l.queueBytes), bound("max_queue_messages", l.queueMsgs),
		slog.Duration("idle_timeout", l.idle), slog.Duration("write_timeout", l.write),
	}
}

// bound is a limit, of which the largest number is none.
func bound(name string, n int) slog.Attr {
	if n == math.MaxInt {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}
