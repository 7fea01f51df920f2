package websocket

import (
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

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

// serverConfig configures a server. The zero value and a nil pointer are the defaults.
type serverConfig struct {
	// Logger receives the log. nil means slog.Default.
	Logger *slog.Logger
	// FlushWorkers is how many goroutines may write at once, up to 2^30. 0 and less mean GOMAXPROCS
	// when the server is made. They run only while there is something to write.
	FlushWorkers int
	// MaxClosing is how many closed connections may wait for their clients to close their side.
	// While there are more, each new connection cuts the one that has waited longest. Default: no
	// limit.
	MaxClosing int
	// NoEpoll makes every connection parked. By default, on Linux, connections over plain TCP are
	// polled; they take a fifth of the memory and behave the same.
	NoEpoll bool
}

// Options configure New. The zero value and a nil pointer are the defaults. For each limit, 0 means
// its default and bennu.Unlimited none. Any other negative number is an error, and so is a time of more
// than a year (8,760 h) or a number of more than 2^30.
type Options struct {
	// Path is the path of the WebSocket below that of the socket. Its segments may be variables.
	// Default "websocket", which stock clients add themselves.
	Path string

	// MaxMessage bounds the bytes of one message from the client, all fragments together. A longer
	// one closes the connection with 1009, before its payload is read. Default 1 MiB.
	MaxMessage int
	// MaxFragments bounds the frames of one message, including empty ones. More close the
	// connection with 1008. Default 128.
	MaxFragments int
	// MaxControlRate bounds the pings and pongs from the client per second. More close the
	// connection with 1008. Default 20.
	MaxControlRate int
	// IdleTimeout is the time without any bytes from the client after which the connection is
	// closed with 1002. Time in which the server does not read, because channels are busy, does not
	// count; after 15 minutes of that the connection is closed with 1013.
	//
	// A silent client is sent a ping after three fifths of IdleTimeout, or 45 s if that is less,
	// and its pong counts as bytes. With an IdleTimeout of less than a second no ping is sent.
	// Default 75 s: browsers run the timers of a hidden page only once a minute, so the heartbeats
	// that stock clients send every 30 s then come every 60 s.
	IdleTimeout time.Duration
	// WriteTimeout is the time in which the client must take something while there is something to
	// write; otherwise the connection ends. It also bounds the time in which a closing connection
	// writes its queue. Default 10 s.
	WriteTimeout time.Duration
	// CloseLinger is how long a closed connection waits for the client to close its side, so that
	// the close code is not lost. Default 1 s; Unlimited is not allowed.
	CloseLinger time.Duration
	// MaxQueueBytes and MaxQueueMessages bound the queue of frames for the client, including those
	// that are being written. A frame that does not fit closes the connection with 1013. While at
	// most an eighth of MaxQueueBytes is in use, a frame of up to MaxQueueBytes always fits.
	// Defaults 4 MiB and 2,048.
	MaxQueueBytes    int
	MaxQueueMessages int
}

// limits are the Options of a mount with their defaults filled in, shared by its connections.
type limits struct {
	maxMessage   int
	maxFragments int
	controlRate  int
	queueBytes   int
	queueMsgs    int
	idle         time.Duration // 0 is none
	ask          time.Duration // silence after which a ping is sent; 0 is never
	write        time.Duration // 0 is none
	linger       time.Duration
}

// limits returns the limits, or an error for the first option that is out of bounds.
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

// bound returns a limit as a log attribute.
func bound(name string, n int) slog.Attr {
	if n == option.None {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}
