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

// The transports and the versions of the protocol.
const (
	webSocket = "websocket"
	longPoll  = "longpoll"
	version1  = "1.0.0"
	version2  = "2.0.0"
)

// Unlimited switches a bound off.
const Unlimited = -1

// Options configure a Socket. The zero value, or a nil pointer, is the defaults. For bounds, 0
// is the default and Unlimited means none.
type Options struct {
	// Params are sent in the query of the URL. They may be nested: a map becomes a[b]=c, a
	// slice a[0]=c, and nil is omitted. Other values are written as fmt.Sprint does.
	Params map[string]any
	// ParamsFunc, if not nil, is called for each attempt to connect and replaces Params. ctx
	// ends with the attempt. If it returns an error, the attempt fails.
	ParamsFunc func(ctx context.Context) (map[string]any, error)
	// AuthToken is sent with each connection in a header, not in the URL, so that it does not
	// get into logs. It is not sent to another server that a redirect leads to. The server must
	// expect it there, as Phoenix does from 1.8 on with auth_token.
	AuthToken string
	// AuthTokenFunc, if not nil, is called for each attempt to connect and replaces AuthToken.
	AuthTokenFunc func(ctx context.Context) (string, error)

	// Transport is "websocket" or "longpoll". Default "websocket".
	Transport string
	// FallbackAfter, if above 0, lets a socket fall back from WebSocket to long polling: when a
	// WebSocket fails to open, or to open within this time; when it does not answer a first
	// heartbeat within this time, or breaks before anything has come; and when it is the third
	// in a row to break within 5 s of opening. 2.5 s is a good value. The socket stays with long
	// polling if none of its WebSockets ever worked.
	FallbackAfter time.Duration
	// Version of the protocol is "2.0.0" or "1.0.0", which has no binary payloads. Default
	// "2.0.0".
	Version string
	// HTTPClient makes the connections of both transports, with its TLS configuration, proxies
	// and cookies. New copies it. Default http.DefaultClient.
	HTTPClient *http.Client
	// Header is sent with every request; Origin, for example.
	Header http.Header

	// Timeout bounds each attempt to connect and each wait for a reply. Default 10 s.
	Timeout time.Duration
	// PollTimeout bounds one request of long polling. It must be longer than the server holds
	// a poll. Default 20 s.
	PollTimeout time.Duration
	// HeartbeatInterval is the time from the opening of a connection, or the last answer, to
	// the next heartbeat. Long polling has no heartbeats. Default 30 s.
	HeartbeatInterval time.Duration
	// HeartbeatTimeout is how long the answer to a heartbeat may take. Default 30 s.
	HeartbeatTimeout time.Duration
	// ReconnectAfter returns the delay before an attempt to connect. try counts from 1 and
	// goes on after failed attempts and after connections that ended within 5 s of opening.
	// Default 10, 50, 100, 150, 200, 250, 500, 1000, 2000, then 5000 ms, each changed at random
	// by up to a quarter, so that the clients of a server that restarts do not all come at once.
	ReconnectAfter func(try int) time.Duration
	// RejoinAfter returns the delay before a join, likewise: try goes on after joins that
	// ended within 5 s. When a connection opens, its channels join at once. Default 1, 2, 5,
	// then 10 s, each changed at random by up to a quarter.
	RejoinAfter func(try int) time.Duration

	// MaxBuffered bounds the messages that wait to be sent: those pushed to channels that are
	// not joined, and those that the connection has not taken yet. Default 10,000.
	MaxBuffered int
	// MaxBufferedBytes bounds their payloads, in bytes. Default 16 MB.
	MaxBufferedBytes int
	// MaxQueued bounds the messages that wait for the callbacks of one channel, and those
	// that wait for one iterator of Events. Default 1,000.
	MaxQueued int
	// MaxQueuedBytes bounds their payloads, in bytes. A single payload may be larger. Default
	// 16 MB.
	MaxQueuedBytes int
	// MaxMessage bounds a message from the server, for long polling an answer, in bytes.
	// Default 10 MB.
	MaxMessage int

	// Trace watches the socket.
	Trace *Trace
	// Logger gets panics of callbacks and events that do not fit the type of On, as errors,
	// and callbacks that are too slow, as warnings. Default slog.Default().
	Logger *slog.Logger
}

// Defaults of Options.
const (
	defaultTimeout   = 10 * time.Second
	defaultPoll      = 20 * time.Second
	defaultHeartbeat = 30 * time.Second
	defaultBuffered  = 10_000
	defaultQueued    = 1_000
	defaultBytes     = 16_000_000
	defaultMessage   = 10_000_000
)

// withDefaults returns a checked copy of o, which may be nil, with every field set. The maps are copied,
// too, so that the program may change its own. The logger masks secrets and is bounded by rate: a
// server decides how often a callback fails.
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
		case *b.value < Unlimited, *b.value > option.MaxCount:
			return nil, fmt.Errorf("client: Options.%s is %d: use 0 for the default of %d, -1 for no bound, or a number up to %d", b.name, *b.value, b.def, option.MaxCount)
		case *b.value == 0:
			*b.value = b.def
		}
	}
	return &c, nil
}

// queues reports whether one more payload may wait for callbacks or an iterator. A payload that
// waits alone may have any size: they are not slow because it is large.
func (o *Options) queues(c count, p Payload) bool {
	bytes := o.MaxQueuedBytes
	if c.bytes == 0 {
		bytes = Unlimited
	}
	return !c.exceeded(p, o.MaxQueued, bytes)
}

// over reports whether n is more than a bound allows.
func over(n, bound int) bool { return bound != Unlimited && n > bound }
