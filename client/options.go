package client

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/redact"
)

// The values of Options.Transport and Options.Version. A version is sent as the parameter vsn.
const (
	webSocket = "websocket"
	longPoll  = "longpoll"
	version1  = "1.0.0"
	version2  = "2.0.0"
)

// Options configure a Socket. The zero value, or a nil pointer, means the defaults. In a field whose
// name begins with Max, 0 means the default and -1 means no bound. New copies the options
// and their maps; the values in Params must not be changed later.
type Options struct {
	// Params are sent in the query of the URL, sorted by name. They may be nested up to 32 deep: a
	// map becomes a[b]=c, a slice a[0]=c, and nil is omitted. Other values are formatted as by
	// fmt.Sprint.
	Params map[string]any
	// ParamsFunc, if not nil, is called for each attempt to connect and replaces Params. ctx
	// ends with the attempt. If it returns an error, the attempt fails.
	ParamsFunc func(ctx context.Context) (map[string]any, error)
	// AuthToken is sent with each connection in a header and not in the URL, which servers and
	// proxies log. After a redirect to another server it is not sent. The server must read the
	// header, as Phoenix does since 1.8 with the option auth_token.
	AuthToken string
	// AuthTokenFunc, if not nil, is called for each attempt to connect and replaces AuthToken.
	AuthTokenFunc func(ctx context.Context) (string, error)

	// Transport is "websocket" or "longpoll". Default "websocket".
	Transport string
	// FallbackAfter, if above 0, lets the socket fall back from WebSocket to long polling, when
	//   - a WebSocket does not open within this time;
	//   - it opens and does not answer a first heartbeat within this time;
	//   - it breaks before the first message has come; or
	//   - it is the third in a row that breaks within 5 s of opening.
	// A socket that has never had a working WebSocket then stays with long polling; any other
	// tries a WebSocket again when the long-poll session ends. Try 2.5 s. Default 0, no fallback.
	FallbackAfter time.Duration
	// Version of the protocol is "2.0.0" or "1.0.0", which has no binary payloads. Default
	// "2.0.0".
	Version string
	// HTTPClient makes the requests of both transports, with its TLS configuration, proxies
	// and cookies. New copies it. Default http.DefaultClient.
	HTTPClient *http.Client
	// Header is sent with every request. Set Origin here if the server checks it, and Host to
	// send another host than that of the URL.
	Header http.Header
	// SinceParam is the member of the params of a join in which Channel.Resume sends a position: that of
	// history.Options of the server. Default "since".
	SinceParam string

	// Timeout bounds each attempt to connect and each wait for a reply. Default 10 s.
	Timeout time.Duration
	// PollTimeout bounds one request of long polling. It must be longer than the time for which
	// the server holds a poll: 10 s in bennu and Phoenix by default. Default 20 s.
	PollTimeout time.Duration
	// HeartbeatInterval is the time from the opening of a connection, or the last answer, to
	// the next heartbeat. Long polling has no heartbeats. Default 30 s.
	HeartbeatInterval time.Duration
	// HeartbeatTimeout is how long the answer to a heartbeat may take. Default 30 s.
	HeartbeatTimeout time.Duration
	// ReconnectAfter returns the delay before an attempt to connect. try is 1 for the first
	// attempt after a connection that lasted 5 s, and grows with each attempt that fails and
	// each connection that ends sooner. Default 10, 50, 100, 150, 200, 250, 500, 1000, 2000,
	// then 5000 ms, as in phoenix.js, each changed at random by up to a quarter, so that the
	// clients of a restarted server do not all come at once.
	ReconnectAfter func(try int) time.Duration
	// RejoinAfter returns the delay before a channel joins again over an open connection. try
	// counts as in ReconnectAfter. When a connection opens, all channels join without a delay.
	// Default 1, 2, 5, then 10 s, as in phoenix.js, each changed at random by up to a quarter.
	RejoinAfter func(try int) time.Duration

	// MaxBuffered bounds the messages that wait to be sent: those pushed to channels that are
	// not joined, and those that the connection has not taken yet. Default 10,000.
	MaxBuffered int
	// MaxBufferedBytes bounds their payloads, in bytes. Default 16 MB.
	MaxBufferedBytes int
	// MaxQueued bounds the messages that wait for the callbacks of one channel, and separately
	// those that wait for one iterator of Events. Default 1,000.
	MaxQueued int
	// MaxQueuedBytes bounds their payloads, in bytes. A single payload may be larger. Default
	// 16 MB.
	MaxQueuedBytes int
	// MaxMessage bounds a WebSocket message from the server, or the whole answer to one poll,
	// in bytes. A longer one ends the connection. Default 10 MB.
	MaxMessage int

	// Trace, if not nil, watches the socket. It must not be changed after New.
	Trace *Trace
	// Logger gets panics of callbacks and events that do not fit the type of On, as errors,
	// and callbacks that are too slow, as warnings. Secrets in them are masked. Default
	// slog.Default().
	Logger *slog.Logger
}

// Defaults of Options, in the units of their fields.
const (
	defaultTimeout   = 10 * time.Second
	defaultPoll      = 20 * time.Second
	defaultHeartbeat = 30 * time.Second
	defaultBuffered  = 10_000
	defaultQueued    = 1_000
	defaultBytes     = 16_000_000
	defaultMessage   = 10_000_000
)

// withDefaults returns a copy of o, which may be nil, with every field set, or an error that names the
// field that is out of range. It copies the maps, so that the program may change its own. The logger
// masks secrets and bounds the rate of lines, since a server can make a callback fail at any rate.
func (o *Options) withDefaults() (*Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	c.Params, c.Header = maps.Clone(c.Params), c.Header.Clone()
	if c.Trace == nil {
		c.Trace = new(Trace)
	}
	if c.HTTPClient == nil {
		c.HTTPClient = http.DefaultClient
	}
	c.HTTPClient = discreet(c.HTTPClient)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = slog.New(notice.NewBook(slog.New(redact.NewHandler(c.Logger.Handler()))).Handler())
	if c.ReconnectAfter == nil {
		c.ReconnectAfter = reconnectTable.after
	}
	if c.RejoinAfter == nil {
		c.RejoinAfter = rejoinTable.after
	}
	c.SinceParam = cmp.Or(c.SinceParam, "since")
	c.Transport, c.Version = cmp.Or(c.Transport, webSocket), cmp.Or(c.Version, version2)
	if c.Transport != webSocket && c.Transport != longPoll {
		return nil, fmt.Errorf("client: Options.Transport is %q: use %q or %q", c.Transport, webSocket, longPoll)
	}
	if c.Version != version2 && c.Version != version1 {
		return nil, fmt.Errorf("client: Options.Version is %q: use %q or %q", c.Version, version2, version1)
	}
	if c.FallbackAfter < 0 || c.FallbackAfter > option.MaxDuration {
		return nil, fmt.Errorf("client: Options.FallbackAfter is %v: use 0 for no fallback, or a time up to %v", c.FallbackAfter, option.MaxDuration)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"Timeout", &c.Timeout, defaultTimeout},
		{"PollTimeout", &c.PollTimeout, defaultPoll},
		{"HeartbeatInterval", &c.HeartbeatInterval, defaultHeartbeat},
		{"HeartbeatTimeout", &c.HeartbeatTimeout, defaultHeartbeat},
	} {
		switch {
		case *d.value < 0, *d.value > option.MaxDuration:
			return nil, fmt.Errorf("client: Options.%s is %v: use 0 for the default of %v, or a time up to %v", d.name, *d.value, d.def, option.MaxDuration)
		case *d.value == 0:
			*d.value = d.def
		}
	}
	for _, b := range []struct {
		name  string
		value *int
		def   int
	}{
		{"MaxBuffered", &c.MaxBuffered, defaultBuffered},
		{"MaxBufferedBytes", &c.MaxBufferedBytes, defaultBytes},
		{"MaxQueued", &c.MaxQueued, defaultQueued},
		{"MaxQueuedBytes", &c.MaxQueuedBytes, defaultBytes},
		{"MaxMessage", &c.MaxMessage, defaultMessage},
	} {
		switch {
		case *b.value < option.Unlimited, *b.value > option.MaxCount:
			return nil, fmt.Errorf("client: Options.%s is %d: use 0 for the default of %d, -1 for no bound, or a number up to %d", b.name, *b.value, b.def, option.MaxCount)
		case *b.value == 0:
			*b.value = b.def
		}
	}
	return &c, nil
}

// queues reports whether one more payload may wait for callbacks or an iterator. A payload that
// waits alone may have any size: its size does not mean that the callbacks are slow.
func (o *Options) queues(c count, p Payload) bool {
	bytes := o.MaxQueuedBytes
	if c.bytes == 0 {
		bytes = option.Unlimited
	}
	return !c.exceeded(p, o.MaxQueued, bytes)
}

// over reports whether n is more than a bound allows.
func over(n, bound int) bool { return bound != option.Unlimited && n > bound }
