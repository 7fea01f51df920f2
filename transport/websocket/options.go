package websocket

import (
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/transport"
)

// Unlimited switches a limit off. It must be written out, because 0 always
// means the default.
const Unlimited = transport.Unlimited

// Defaults of the limits in Options.
const (
	defaultMaxMessage       = 1 << 20
	defaultMaxFragments     = 128
	defaultMaxControlRate   = 20
	defaultIdleTimeout      = 75 * time.Second
	defaultWriteTimeout     = 10 * time.Second
	defaultCloseLinger      = time.Second
	defaultMaxQueueBytes    = 4 << 20
	defaultMaxQueueMessages = 2048
)

// serverConfig configures a server. The zero value and a nil pointer mean the
// defaults.
type serverConfig struct {
	// Logger takes what was refused, dropped or closed and why, and panics of acceptors
	// and receivers. Nil means slog.Default.
	Logger *slog.Logger
	// FlushWorkers is how many goroutines may write at once, 2^30 at most. 0 and less
	// mean GOMAXPROCS at the time the server is made. They run only while there is
	// something to write.
	FlushWorkers int
	// MaxClosing is how many closed connections may wait for their clients to close their
	// side. While there are more, each request that becomes a connection cuts the one that has
	// waited longest. Default: no limit.
	MaxClosing int
	// NoEpoll gives every connection a goroutine that waits for its socket. By default,
	// on Linux, connections over plain TCP have none while nothing comes; they take a
	// fifth of the memory and behave the same. TLS and other systems always have one.
	NoEpoll bool
}

// Options configures New. The zero value and a nil pointer mean the
// defaults. For each limit 0 means its default and Unlimited none. Any other negative value
// is an error, and so is a time of more than a year (8,760 h) or a number of more than 2^30.
type Options struct {
	// Path is that of the WebSocket below the path of the socket. Its segments may be variables.
	// Default "websocket", which stock clients add by themselves.
	Path string

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
	// IdleTimeout is how long nothing at all may arrive before the connection is
	// closed with 1002. Time during which the receiver held reading back does not
	// count; after 15 minutes of that the connection is closed with 1013. After three fifths of it, or 45 s if that is less, the client is sent
	// a ping, and its pong counts as something that arrived; with less than a second no
	// ping is sent. Default 75 s: browsers run the timers of a hidden page once a
	// minute, so the heartbeats that stock clients send every 30 s then come every
	// 60 s.
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
	// closes the connection with 1013. But while no more than an eighth of MaxQueueBytes
	// waits, a frame of up to MaxQueueBytes is always taken. Defaults 4 MiB and 2,048.
	MaxQueueBytes    int
	MaxQueueMessages int
}

// limits are the resolved limits of a mount, shared by its connections.
type limits struct {
	maxMessage   int
	maxFragments int
	controlRate  int
	queueBytes   int
	queueMsgs    int
	idle         time.Duration // 0 is none
	ask          time.Duration // when a silent client is sent a ping; 0 is never
	write        time.Duration // 0 is none
	linger       time.Duration
}

func (o *Options) limits() (*limits, error) {
	if o == nil {
		o = &Options{}
	}
	c := &option.Checker{Of: "websocket: option "}
	count := func(name string, v, def int) int { return c.Count(name, v, def, option.MaxCount) }
	span := func(name string, v, def time.Duration) time.Duration {
		if v = c.Duration(name, v, def, option.MaxDuration); v == option.Forever {
			return 0
		}
		return v
	}
	l := &limits{
		maxMessage:   count("MaxMessage", o.MaxMessage, defaultMaxMessage),
		maxFragments: count("MaxFragments", o.MaxFragments, defaultMaxFragments),
		controlRate:  count("MaxControlRate", o.MaxControlRate, defaultMaxControlRate),
		queueBytes:   count("MaxQueueBytes", o.MaxQueueBytes, defaultMaxQueueBytes),
		queueMsgs:    count("MaxQueueMessages", o.MaxQueueMessages, defaultMaxQueueMessages),
		idle:         span("IdleTimeout", o.IdleTimeout, defaultIdleTimeout),
		write:        span("WriteTimeout", o.WriteTimeout, defaultWriteTimeout),
		linger:       c.Finite("CloseLinger", o.CloseLinger, defaultCloseLinger, option.MaxDuration),
	}
	l.ask = askAfter(l.idle)
	return l, c.Err
}

// Limits implements seam.Handler.
func (h *handler) Limits() []slog.Attr {
	l := h.lim
	return []slog.Attr{
		bound("max_message", l.maxMessage), bound("max_fragments", l.maxFragments), bound("max_control_rate", l.controlRate),
		bound("max_queue_bytes", l.queueBytes), bound("max_queue_messages", l.queueMsgs),
		slog.Duration("idle_timeout", l.idle), slog.Duration("write_timeout", l.write),
		slog.Duration("close_linger", l.linger),
	}
}

// bound is a limit, which may be none.
func bound(name string, n int) slog.Attr {
	if n == option.None {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}
