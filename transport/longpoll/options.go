package longpoll

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// Unlimited switches a limit off. It must be written out, because 0 always
// means the default.
const Unlimited = -1

// Defaults of the limits in Options.
const (
	DefaultWindow                = 10 * time.Second
	DefaultPubSubTimeout         = 2 * time.Second
	DefaultBodyTimeout           = 10 * time.Second
	DefaultWriteTimeout          = 10 * time.Second
	DefaultTokenAge              = 10 * time.Minute
	DefaultMaxBody               = 1 << 20
	DefaultMaxBatch              = 100
	DefaultMaxBufferBytes        = 1 << 20
	DefaultMaxBufferMessages     = 2048
	DefaultMaxSessionsPerAddress = 64
)

// ServerConfig configures a Server. The zero value and a nil pointer mean the
// defaults.
type ServerConfig struct {
	// Logger takes what was refused, dropped or closed and why, and panics of acceptors
	// and receivers. It gets at most 100 lines a second of each kind. Nil means
	// slog.Default.
	Logger *slog.Logger
	// PubSub lets other nodes serve the sessions of this one and this one
	// theirs. Nil means that sessions can be reached on this server alone.
	PubSub *pubsub.PubSub
	// Secret signs the tokens of sessions. Nodes that shall serve each other's
	// sessions need the same one, of 32 random bytes or more. Empty means a
	// random one. It is copied.
	Secret []byte
}

// Options configures the sessions of one mount. The zero value and a nil pointer mean the
// defaults. For each limit 0 means its default and, but where it says otherwise,
// Unlimited none; any other negative value is an error.
type Options struct {
	// Window is how long a poll waits for data before it is answered with 204,
	// and how long a post waits for each of its lines to be handled before it is
	// answered with 408. A session that nobody polls dies between 1.5 and 3
	// windows after its last poll began. Default 10 s; Unlimited is not allowed.
	Window time.Duration
	// PubSubTimeout is how long a request waits for the node that has its
	// session to say so. Default 2 s; Unlimited is not allowed.
	PubSubTimeout time.Duration
	// BodyTimeout is how long the body of a post may take to arrive, and
	// WriteTimeout how long a client may take nothing of an answer. Both replace
	// the http.Server's own timeouts. Defaults 10 s.
	BodyTimeout  time.Duration
	WriteTimeout time.Duration
	// TokenAge is how long a token is good after the last request that presented
	// one of the same session. A session that nobody polls dies anyway, so it
	// matters only where Window is long. Default 10 min.
	TokenAge time.Duration

	// MaxBody bounds the body of a post, in bytes. A longer one is answered with
	// 400 and has no effect. Default 1 MiB.
	MaxBody int
	// MaxBatch is how many messages of a post are handed on; what follows them is
	// ignored, as the protocol has it, with a line in the log. Default 100.
	MaxBatch int
	// MaxBufferBytes and MaxBufferMessages bound what waits for the client,
	// including what it was given and has not acknowledged. A frame that would pass
	// a bound ends the session as a slow consumer. Defaults 1 MiB and 2,048.
	MaxBufferBytes    int
	MaxBufferMessages int
	// MaxSessionsPerAddress bounds the sessions of one address; a request for
	// one more is answered with 503. An IPv6 address counts by its /64 network.
	// Behind a proxy set ClientAddr, or all clients share the proxy's address.
	// Default 64.
	MaxSessionsPerAddress int

	// ClientAddr gives the address that a request counts for, from a header that
	// the proxy in front sets itself. Nil means Request.RemoteAddr. It is called
	// concurrently.
	ClientAddr func(*http.Request) string
}

// noLimit stands for Unlimited in resolved limits, forever in durations.
const (
	noLimit = int(^uint(0) >> 1)
	forever = time.Duration(1<<63 - 1)
)

// limits are the resolved limits of a mount.
type limits struct {
	window, pubsub, body, write, tokenAge                  time.Duration
	maxBody, maxBatch, bufferBytes, bufferMsgs, perAddress int
}

func (o *Options) limits() (*limits, error) {
	if o == nil {
		o = &Options{}
	}
	var first error
	fail := func(format string, args ...any) {
		if first == nil {
			first = fmt.Errorf("longpoll: option "+format, args...)
		}
	}
	count := func(name string, v, def int) int {
		switch {
		case v == 0:
			return def
		case v == Unlimited:
			return noLimit
		case v < 0:
			fail("%s is %d; use 0 for the default or Unlimited", name, v)
		}
		return v
	}
	span := func(name string, v, def time.Duration) time.Duration {
		switch {
		case v == 0:
			return def
		case v == Unlimited:
			return forever
		case v < 0:
			fail("%s is %v; use 0 for the default or Unlimited", name, v)
		}
		return v
	}
	finite := func(name string, v, def time.Duration) time.Duration {
		const most = 24 * time.Hour // twice of it is still far from an overflow
		switch {
		case v == 0:
			return def
		case v < 0 || v > most:
			fail("%s is %v; use 0 for the default or up to 24h", name, v)
		}
		return v
	}
	l := &limits{
		window:      finite("Window", o.Window, DefaultWindow),
		pubsub:      finite("PubSubTimeout", o.PubSubTimeout, DefaultPubSubTimeout),
		body:        span("BodyTimeout", o.BodyTimeout, DefaultBodyTimeout),
		write:       span("WriteTimeout", o.WriteTimeout, DefaultWriteTimeout),
		tokenAge:    span("TokenAge", o.TokenAge, DefaultTokenAge),
		maxBody:     count("MaxBody", o.MaxBody, DefaultMaxBody),
		maxBatch:    count("MaxBatch", o.MaxBatch, DefaultMaxBatch),
		bufferBytes: count("MaxBufferBytes", o.MaxBufferBytes, DefaultMaxBufferBytes),
		bufferMsgs:  count("MaxBufferMessages", o.MaxBufferMessages, DefaultMaxBufferMessages),
		perAddress:  count("MaxSessionsPerAddress", o.MaxSessionsPerAddress, DefaultMaxSessionsPerAddress),
	}
	return l, first
}

// Limits are the effective limits of the mount, for a server's log.
func (h *Handler) Limits() []slog.Attr {
	l := h.lim
	return []slog.Attr{
		slog.Duration("window", l.window), slog.Duration("body_timeout", l.body), slog.Duration("write_timeout", l.write),
		bound("max_body", l.maxBody), bound("max_batch", l.maxBatch), bound("max_buffer_bytes", l.bufferBytes),
		bound("max_buffer_messages", l.bufferMsgs), bound("max_polls_per_address", l.perAddress),
	}
}

// bound is a limit, of which the largest number is none.
func bound(name string, n int) slog.Attr {
	if n == noLimit {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}
