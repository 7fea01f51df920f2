package client

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/wire"
)

// Transport is a way to reach the server.
type Transport int

// The transports.
const (
	WebSocket Transport = iota
	LongPoll
)

// String returns "websocket" or "longpoll".
func (t Transport) String() string {
	switch t {
	case WebSocket:
		return "websocket"
	case LongPoll:
		return "longpoll"
	}
	return fmt.Sprintf("Transport(%d)", int(t))
}

// Version is a version of the protocol.
type Version int

// The versions. V1 has no binary payloads.
const (
	V2 Version = iota
	V1
)

// String returns the vsn parameter: "2.0.0" or "1.0.0".
func (v Version) String() string {
	switch v {
	case V2:
		return "2.0.0"
	case V1:
		return "1.0.0"
	}
	return fmt.Sprintf("Version(%d)", int(v))
}

// Unlimited switches a bound off.
const Unlimited = -1

// Options configure a Socket. The zero value, or nil, has the defaults. For bounds 0 is
// the default and -1 ([Unlimited]) none.
type Options struct {
	// Params are sent in the query of each connection. They may be nested: a map
	// becomes a[b]=c, a slice a[0]=c, and nil nothing. Other values are written as
	// fmt.Sprint does.
	Params map[string]any
	// ParamsFunc is called for each attempt to connect, and wins over Params. ctx ends
	// with the attempt. An error fails the attempt.
	ParamsFunc func(ctx context.Context) (map[string]any, error)
	// AuthToken is sent with each connection outside of the URL, so that it
	// does not get into logs, and to no other server that redirects. The server has to
	// expect it there: auth_token in Phoenix from 1.8 on.
	AuthToken string
	// AuthTokenFunc is called for each attempt to connect, and wins over AuthToken.
	AuthTokenFunc func(ctx context.Context) (string, error)

	// Transport is how to connect; the default is WebSocket.
	Transport Transport
	// FallbackAfter, when above 0, makes a socket whose Transport is WebSocket
	// change to LongPoll when a WebSocket fails to open, breaks before anything has come,
	// does not open and then answer a heartbeat within this time each, or is the third in a
	// row that breaks within 5 s of opening; 2.5 s is a good value. It stays with LongPoll
	// if that opens and a WebSocket never worked.
	FallbackAfter time.Duration
	// Version is what to speak; the default is V2.
	Version Version
	// HTTPClient makes the connections of both transports: TLS, proxies and cookies
	// are its matter. The default is http.DefaultClient. It is copied by New.
	HTTPClient *http.Client
	// Header is sent with every request, for example Origin.
	Header http.Header

	// Timeout bounds every attempt to connect and every wait for a reply. The default is 10 s.
	Timeout time.Duration
	// PollTimeout bounds one request of long polling; it must be longer than the
	// server holds a poll. The default is 20 s.
	PollTimeout time.Duration
	// HeartbeatInterval is from the connection, or the last answer, to the next
	// heartbeat. The default is 30 s. Long polling has no heartbeats.
	HeartbeatInterval time.Duration
	// HeartbeatTimeout is how long the answer may take. The default is 30 s.
	HeartbeatTimeout time.Duration
	// ReconnectAfter says how long to wait before connecting for the nth time in
	// a row; the first try has the number 1. It counts failed attempts, and consecutive
	// connections that ended within 5 s of opening. The default is 10, 50, 100, 150, 200, 250,
	// 500, 1000, 2000, then 5000 ms, each changed at random by up to a quarter, so that
	// the clients of a server that restarts do not come all at once.
	ReconnectAfter func(try int) time.Duration
	// RejoinAfter is the same for the joins of a channel, where joins that ended within
	// 5 s count. A connection that opens has its channels join at once. The default is
	// 1, 2, 5, then 10 s, changed likewise.
	RejoinAfter func(try int) time.Duration

	// MaxBuffered bounds the messages that wait to be sent: those pushed to
	// channels that are not joined, and those that a connection has not taken yet. The default
	// is 10,000.
	MaxBuffered int
	// MaxBufferedBytes bounds their payloads, in bytes. The default is 16 MB.
	MaxBufferedBytes int
	// MaxQueued bounds the messages of one channel that wait for its callbacks, and
	// those that wait for one iterator of Events. The default is 1,000.
	MaxQueued int
	// MaxQueuedBytes bounds their payloads, in bytes; a lone one may be larger. The default is 16 MB.
	MaxQueuedBytes int
	// MaxMessage bounds what the server may send as one message, for long
	// polling as one answer, in bytes. The default is 10 MB.
	MaxMessage int

	// Trace watches the socket.
	Trace *Trace
	// Logger gets, as errors, panics of callbacks and events that do not fit the type
	// of On, and, as warnings, callbacks that are too slow. The default is slog.Default().
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

// withDefaults returns a checked copy of o, which may be nil, with every field set.
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
	if c.Transport != WebSocket && c.Transport != LongPoll {
		return nil, fmt.Errorf("client: Options.Transport is %d: use WebSocket or LongPoll", c.Transport)
	}
	if c.Version != V2 && c.Version != V1 {
		return nil, fmt.Errorf("client: Options.Version is %d: use V2 or V1", c.Version)
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

// queues reports whether one more payload may wait for callbacks or an iterator. A lone one may
// always: that it is large is not their fault.
func (o *Options) queues(c count, p wire.Payload) bool {
	bytes := o.MaxQueuedBytes
	if c.bytes == 0 {
		bytes = Unlimited
	}
	return !c.exceeded(p, o.MaxQueued, bytes)
}

// over reports whether n is more than a bound allows.
func over(n, bound int) bool { return bound != Unlimited && n > bound }
