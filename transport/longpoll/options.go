package longpoll

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/pubsub"
)

// Defaults of the limits in Options.
const (
	defaultWindow                = 10 * time.Second
	defaultPubSubTimeout         = 2 * time.Second
	defaultBodyTimeout           = 10 * time.Second
	defaultWriteTimeout          = 10 * time.Second
	defaultTokenAge              = 10 * time.Minute
	defaultMaxBody               = 1 << 20
	defaultMaxBatch              = 100
	defaultMaxBufferBytes        = 4 << 20
	defaultMaxBufferMessages     = 2048
	defaultMaxSessionsPerAddress = 64

	defaultMaxPostBytesPerAddress = 8 << 20
	defaultMaxPostBytes           = 64 << 20
)

// serverConfig configures a server. The zero value and a nil pointer are the defaults.
type serverConfig struct {
	// Logger receives the log, at most 100 lines a second of each kind. nil means slog.Default.
	Logger *slog.Logger
	// PubSub passes requests between the nodes of a cluster. nil means that sessions can be reached
	// on this server alone.
	PubSub *pubsub.PubSub
	// Secret signs the tokens of sessions. All nodes of a cluster need the same secret, of 32
	// random bytes or more. Empty means a random one. It is copied.
	Secret []byte
	// MaxPostBytes bounds the bytes of posts that the server holds, of all mounts and addresses
	// together; see Options.MaxPostBytesPerAddress. Default 64 MiB, or twice the largest MaxBody of
	// a mount if that is more, at most 1 GiB. Unlimited means no bound, and any other negative
	// value the default.
	MaxPostBytes int
}

// Options configure New. The zero value and a nil pointer are the defaults. For each limit, 0 means
// its default and bennu.Unlimited none, unless it says that Unlimited is not allowed. Any other
// negative value is an error.
type Options struct {
	// Path is the path at which clients poll, below that of the socket. Its segments may be
	// variables. Default "longpoll", which stock clients add themselves.
	Path string

	// Window is how long a poll waits for messages before it is answered with 204, and how long a
	// post waits for each of its messages to be handled before it is answered with 408. A session
	// that is not polled ends between 1.5 and 3 windows after its last poll began. Default 10 s;
	// Unlimited is not allowed.
	Window time.Duration
	// PubSubTimeout is how long a request waits for a first answer of the node that has its
	// session. Default 2 s; Unlimited is not allowed.
	PubSubTimeout time.Duration
	// BodyTimeout is how long the body of a post may take to arrive, and WriteTimeout how long a
	// client may take to receive a part of 32 KiB of an answer. Both replace the timeouts of the
	// http.Server. Defaults 10 s.
	BodyTimeout  time.Duration
	WriteTimeout time.Duration
	// TokenAge is how long a token is valid after the last request with a token of the same
	// session. It matters only if Window is long, because a session that is not polled ends anyway.
	// Default 10 min.
	TokenAge time.Duration

	// MaxBody bounds the body of a post in bytes. A longer one is answered with 400 and has no
	// effect. Default 1 MiB. With Unlimited, only the bounds on the posts of an address and of the
	// server apply.
	//
	// At most 32 posts of one session wait at a time, with at most twice as many bytes as MaxBody.
	MaxBody int
	// MaxPostBytesPerAddress bounds the bytes of posts of one address that the server holds at a
	// time: while they arrive, wait, are handled, or are passed to the node that has their session.
	// A post that finds no room is not read until there is some. If that takes longer than a
	// window, it is answered with 408, after which stock clients connect again.
	//
	// The first 4 KiB of each post are counted separately, up to an eighth of the bound, so that
	// small posts do not wait for large ones. Default 8 MiB, or twice MaxBody if that is more; it
	// must be at least MaxBody.
	MaxPostBytesPerAddress int
	// MaxBatch is the number of messages in a post that are handled. As in Phoenix, further ones
	// are ignored, with a line in the log. Default 100.
	MaxBatch int
	// MaxBufferBytes and MaxBufferMessages bound the messages for the client that wait or are not
	// acknowledged. A message that does not fit ends the session as that of a slow client. While at
	// most an eighth of MaxBufferBytes is in use, a message of up to MaxBufferBytes always fits.
	// Defaults 4 MiB and 2,048.
	MaxBufferBytes    int
	MaxBufferMessages int
	// MaxSessionsPerAddress bounds the sessions of one address; a request for one more is answered
	// with 503. An IPv6 address counts as its /64 network. Behind a proxy set
	// bennu.NodeLimits.ClientAddress, or all clients count as the proxy. Default 64.
	MaxSessionsPerAddress int
}

// noLimit stands for Unlimited in limits, and forever in those that are times.
const (
	noLimit = int(^uint(0) >> 1)
	forever = time.Duration(1<<63 - 1)
)

// limits are the Options of a mount with their defaults filled in. All are numbers of bytes unless
// their names say otherwise.
type limits struct {
	window, pubsub, body, write, tokenAge                  time.Duration
	maxBody, maxBatch, bufferBytes, bufferMsgs, perAddress int

	// Bounds of posts: of a session, of an address, and of the first bytes of the posts of an
	// address.
	sessionBytes, bytesPerAddress, firstsPerAddress int
	// Bound of an answer from another server.
	answerBytes int
}

// limits returns the limits, or an error for the first option that cannot work.
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
		case v == option.Unlimited:
			return noLimit
		case v < 0:
			fail("%s is %d; use 0 for the default or Unlimited", name, v)
		case v > option.MaxCount:
			fail("%s is %d; use up to %d, or Unlimited", name, v, option.MaxCount)
		}
		return v
	}
	span := func(name string, v, def time.Duration) time.Duration {
		switch {
		case v == 0:
			return def
		case v == option.Unlimited:
			return forever
		case v < 0:
			fail("%s is %v; use 0 for the default or Unlimited", name, v)
		case v > option.MaxDuration:
			fail("%s is %v; use up to %v, or Unlimited", name, v, option.MaxDuration)
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
		window:      finite("Window", o.Window, defaultWindow),
		pubsub:      finite("PubSubTimeout", o.PubSubTimeout, defaultPubSubTimeout),
		body:        span("BodyTimeout", o.BodyTimeout, defaultBodyTimeout),
		write:       span("WriteTimeout", o.WriteTimeout, defaultWriteTimeout),
		tokenAge:    span("TokenAge", o.TokenAge, defaultTokenAge),
		maxBody:     count("MaxBody", o.MaxBody, defaultMaxBody),
		maxBatch:    count("MaxBatch", o.MaxBatch, defaultMaxBatch),
		bufferBytes: count("MaxBufferBytes", o.MaxBufferBytes, defaultMaxBufferBytes),
		bufferMsgs:  count("MaxBufferMessages", o.MaxBufferMessages, defaultMaxBufferMessages),
		perAddress:  count("MaxSessionsPerAddress", o.MaxSessionsPerAddress, defaultMaxSessionsPerAddress),
	}
	l.bytesPerAddress = count("MaxPostBytesPerAddress", o.MaxPostBytesPerAddress, max(defaultMaxPostBytesPerAddress, twice(l.maxBody)))
	if l.maxBody > l.bytesPerAddress {
		if o.MaxBody != option.Unlimited {
			fail("MaxPostBytesPerAddress is %d, less than MaxBody of %d: a post of that size would never be read; raise MaxPostBytesPerAddress, or lower MaxBody", l.bytesPerAddress, l.maxBody)
		}
		l.maxBody = l.bytesPerAddress
	}
	l.sessionBytes = max(twice(l.maxBody), leastBytes)
	l.firstsPerAddress = firstsOf(l.bytesPerAddress)
	l.answerBytes = maxParts * partBytes
	if b, n := l.bufferBytes, l.bufferMsgs; b < l.answerBytes && n < l.answerBytes {
		l.answerBytes = min(l.answerBytes, b+b/8+4*n) // see outbox.fits
	}
	return l, first
}

// leastBytes is the least bound of a session's waiting posts, beside their first bytes.
const leastBytes = 128 << 10

// twice returns two times a bound, or noLimit.
func twice(n int) int {
	if n > noLimit/2 {
		return noLimit
	}
	return 2 * n
}

// firstsOf returns the bound of the first bytes of posts that belongs to a bound of the rest.
func firstsOf(bound int) int {
	if bound == noLimit {
		return noLimit
	}
	return max(bound/8, 16*earnest)
}

// boundPosts sets the bounds of serverConfig.MaxPostBytes.
func (s *server) boundPosts(n int) {
	switch {
	case n == option.Unlimited:
		n = noLimit
	case n <= 0:
		n, s.restsDefault = defaultMaxPostBytes, true
	}
	s.rests.most, s.firsts.most = n, firstsOf(n)
}

// fitPosts makes the bounds of the server fit the posts of a mount, or returns an error if the
// server's bound is set and too small. The caller holds server.mu.
func (s *server) fitPosts(o *Options, l *limits) error {
	s.answers.most = max(s.answers.most, s.rests.most, twice(l.answerBytes))
	switch {
	case o.MaxBody == option.Unlimited:
		l.maxBody = min(l.maxBody, s.rests.most)
		l.sessionBytes = max(twice(l.maxBody), leastBytes)
	case s.restsDefault:
		s.rests.most = max(s.rests.most, twice(l.maxBody))
	case l.maxBody > s.rests.most:
		return fmt.Errorf("longpoll: option MaxBody is %d, more than the server's bound of %d on the bytes of all posts; raise PostBytes of the endpoint's Limits, or lower MaxBody", l.maxBody, s.rests.most)
	}
	return nil
}

// Limits implements seam.Handler.
func (h *handler) Limits() []slog.Attr {
	l := h.lim
	return []slog.Attr{
		slog.Duration("window", l.window), slog.Duration("body_timeout", l.body), slog.Duration("write_timeout", l.write),
		slog.Duration("max_age", l.tokenAge), slog.Duration("pubsub_timeout", l.pubsub),
		bound("max_body", l.maxBody), bound("max_batch", l.maxBatch), bound("max_buffer_bytes", l.bufferBytes),
		bound("max_buffer_messages", l.bufferMsgs), bound("max_per_address", l.perAddress),
		bound("max_post_bytes_per_address", l.bytesPerAddress), bound("max_post_bytes", h.srv.rests.most),
	}
}

// bound returns a limit as a log attribute.
func bound(name string, n int) slog.Attr {
	if n == noLimit {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}
