package bennu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/weborigin"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// Endpoint is where clients connect: an http.Handler with sockets mounted at
// paths. It owns every goroutine of its connections and channels; Shutdown waits for
// them. All methods may be called from any goroutine, but Socket only before the
// endpoint serves.
type Endpoint struct {
	node
	options    EndpointOptions
	websocket  *websocket.Server
	longpoll   *longpoll.Server
	mounts     []*mount
	trustsHost []string // mounts with the default origin policy, and no Host
	absent     []absent
	proxied    proxied
	cancel     context.CancelFunc // ends the node's context
	serving    atomic.Bool        // beginServing was called
	// ending is closed when Shutdown begins.
	shutdownOnce sync.Once
	ending       chan struct{}
	closing      chan struct{} // has an entry while functions of OnShutdown run
	closersMu    sync.Mutex
	closers      []func(context.Context) error // of OnShutdown
	closed       bool                          // they were called
}

// EndpointOptions configure NewEndpoint. The zero value of each field is its
// default.
type EndpointOptions struct {
	// PubSub carries broadcasts. Share one between endpoints that shall hear
	// each other. Default: one of the endpoint's own, for this node alone.
	PubSub *pubsub.PubSub
	// Logger takes the endpoint's log: at most 100 lines a second of each kind, with
	// secrets masked by the names they stand under and control characters escaped.
	// Default slog.Default().
	Logger *slog.Logger
	// Limits bound what all clients together may ask. The zero value is the
	// defaults; the effective ones are logged when the endpoint begins to serve.
	Limits NodeLimits
	// IgnoreGaps leaves channels joined when messages of other nodes may have been
	// missed, for instance because the broker was away. By default their clients are
	// told with phx_error, at most 2,000 in a second, and join again.
	IgnoreGaps bool
	// Secret signs what the endpoint gives out and must get back unchanged: the
	// session tokens of long polling. Nodes of one cluster need the same, of 32
	// random bytes or more; fewer than 16 are refused. Default: random bytes, good for one
	// node.
	Secret []byte
	// NoEpoll gives every WebSocket a goroutine that waits for its client. By default, on
	// Linux, those over plain TCP have none while nothing comes, which takes less
	// memory; nothing else differs. TLS and other systems always have one.
	NoEpoll bool
	// Host is the host name under which browsers reach this server, as in the
	// address bar, without scheme and port. When it is set, the default origin policy of
	// every mount allows pages of that host; otherwise those whose origin is the
	// scheme, host and port of the request itself. Socket panics for what can be no
	// host of a page, with a sentence that says what to write. Set it in production: without
	// it, a page of a name that an attacker points at this server's address passes the policy
	// (DNS rebinding). A server that listens on more than the loopback says so at its start.
	Host string
	// Fallback serves the paths that are not mounted. Default: 404.
	Fallback http.Handler
	// DrainTime is over how long Shutdown spreads the closing of connections, so
	// that clients do not all come back in one moment. It is shorter where there are
	// few: 500 connections take 1 s. Default 30 s; Unlimited means no spreading.
	DrainTime time.Duration
}

// NewEndpoint makes an endpoint. A nil opts is the zero EndpointOptions; opts is
// copied. It panics for an option that cannot work: a number above 2^30, a time above a year,
// a negative one other than Unlimited. The sentence says what to write.
func NewEndpoint(opts *EndpointOptions) *Endpoint {
	e := &Endpoint{ending: make(chan struct{}), closing: make(chan struct{}, 1)}
	e.leastOutbound = math.MaxInt
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if opts != nil {
		e.options = *opts
	}
	where := caller()
	if e.options.Logger == nil {
		e.options.Logger = slog.Default()
	}
	if nils.Is(e.options.Logger.Handler()) {
		panic(fmt.Sprintf("bennu: %s: EndpointOptions.Logger has no handler; make it with slog.New, or leave it nil for slog.Default", where))
	}
	if err := e.options.check(); err != nil {
		panic(fmt.Sprintf("bennu: %s: %v", where, err))
	}
	if e.options.DrainTime == 0 {
		e.options.DrainTime = 30 * time.Second
	}
	if e.options.Fallback != nil && nils.Is(e.options.Fallback) {
		panic(fmt.Sprintf("bennu: %s: EndpointOptions.Fallback is a nil %T; leave it out for 404", where, e.options.Fallback))
	}
	e.pubsub = e.options.PubSub
	if e.pubsub == nil {
		e.pubsub = pubsub.NewLocal()
	}
	e.book = notice.NewBook(slog.New(redact.NewHandler(e.options.Logger.Handler())))
	e.log = e.book.Log()
	e.start = time.Now()
	e.ignoreGaps = e.options.IgnoreGaps
	e.admission = newAdmission(e.options.Limits)
	e.proxied.over.Store(e.options.Limits.ClientAddress != nil)
	limited := slog.New(e.book.Handler())
	e.websocket = websocket.NewServer(&websocket.ServerConfig{Logger: limited, NoEpoll: e.options.NoEpoll, MaxClosing: closingMost(e.admission.limits.Connections)})
	e.longpoll = longpoll.NewServer(&longpoll.ServerConfig{Logger: limited, PubSub: e.pubsub, Secret: e.options.Secret, MaxPostBytes: e.options.Limits.PostBytes})
	return e
}

// PubSub is what the endpoint's broadcasts travel on.
func (e *Endpoint) PubSub() *pubsub.PubSub { return e.pubsub }

// SocketOptions configure one mount. The zero value and a nil pointer are the
// defaults: WebSocket at "websocket" below the mount's path.
type SocketOptions struct {
	// Checks are what a request must pass on any transport: origin policy, auth
	// token, subprotocols, web session.
	transport.Checks
	// WebSocketPath is that of the WebSocket below the mount's own. Default
	// "websocket", which stock clients add.
	WebSocketPath string
	// WebSocket has the limits of that transport, and its error handler. A message that one
	// client may send must have room in the queue of every other. So limits of either
	// transport that are left out are set to fit those that are given, and Socket panics
	// for two that do not fit each other.
	WebSocket websocket.Options
	// NoWebSocket leaves that transport away.
	NoWebSocket bool
	// LongPoll turns on long polling, for clients behind proxies that break
	// WebSocket, at LongPollPath below the mount's own; default "longpoll". nil is
	// off.
	LongPoll     *longpoll.Options
	LongPollPath string
}

// mount is a SocketHandler at a path, over one transport.
type mount struct {
	path *transport.Path
	served
	base  *transport.Path // of the socket, as it was given to Endpoint.Socket
	text  string          // the same
	last  string          // segment of the path
	where string
	polls bool // by long polling
}

// served is a transport's handler of one mount.
type served interface {
	Serve(w http.ResponseWriter, r *http.Request, vars map[string]string)
	Limits() []slog.Attr
}

// Socket mounts a handler at a path, whose segments may be variables such as
// ":tenant"; they become parameters of Connect and win over the query's. Where the
// paths of two mounts overlap, the one mounted last is tried first, so the more general one
// is mounted first.
//
// The path is that of the socket, such as "/socket", to which clients add "/websocket" or
// "/longpoll" by themselves. A path or an option that cannot work is a mistake of the program:
// Socket panics with a sentence that says what to do.
//
// After that no channel can be added to h, and no handler to its channels.
func (e *Endpoint) Socket(path string, h *SocketHandler, opts *SocketOptions) {
	where := caller()
	if err := e.mount(path, h, opts, where); err != nil {
		panic(fmt.Sprintf("bennu: %s: socket %q: %v", where, path, err))
	}
}

func (e *Endpoint) mount(path string, h *SocketHandler, opts *SocketOptions, where string) error {
	o := SocketOptions{}
	if opts != nil {
		o = *opts
	}
	if err := checkPath(path, &o); err != nil {
		return err
	}
	if o.WebSocketPath == "" {
		o.WebSocketPath = "websocket"
	}
	if o.LongPollPath == "" {
		o.LongPollPath = "longpoll"
	}
	if e.options.Host != "" {
		host, err := weborigin.ParseHost(e.options.Host)
		if err != nil {
			return fmt.Errorf("EndpointOptions: %w", err)
		}
		if o.Origin == nil {
			o.Origin = transport.OriginHost(host)
		}
	}
	if o.Origin == nil && !o.InsecureSkipOriginCheck {
		e.trustsHost = append(e.trustsHost, path)
	}
	if o.InsecureSkipOriginCheck {
		e.log.Log(slog.LevelWarn, "origin check is off: any website can connect with its visitor's network position", slog.String("path", path))
	}
	if o.TokenParam != "" && strings.Contains("/"+path+"/", "/:"+o.TokenParam+"/") {
		return fmt.Errorf("the path has the variable %q, which TokenParam names too; rename one of them", ":"+o.TokenParam)
	}
	handler, err := h.mount(e)
	if err != nil {
		return err
	}
	h.seal(where)
	handler.path, handler.authToken = path, o.AuthToken || o.TokenParam != ""
	if !handler.authToken && isAuthenticate(h.Connect) {
		// Not a panic: a handler may be mounted twice, and refuse clients at one path.
		e.book.Say(notice.AuthTokenOff, slog.String("mount", path))
	}
	if o.NoWebSocket && o.LongPoll == nil {
		return errors.New("no transport is on; leave NoWebSocket out, or set LongPoll")
	}
	var polls *longpoll.Options
	if o.LongPoll != nil {
		given := *o.LongPoll
		polls = &given
	}
	if err := relateLimits(&o, polls, e.pubsub.Node() != ""); err != nil {
		return err
	}
	if err := handler.limits.relateQueues(h.Limits.Topics != 0, &o, polls); err != nil {
		return err
	}
	if !o.NoWebSocket {
		handler.overWebSocket = outboundOf(o.WebSocket.MaxQueueBytes, o.WebSocket.MaxQueueMessages, websocket.DefaultMaxQueueMessages)
		ws, err := e.websocket.Handler(handler, &o.Checks, &o.WebSocket)
		if err != nil {
			return err
		}
		if err := e.route(path, o.WebSocketPath, ws, where); err != nil {
			return err
		}
	} else if err := e.leaveOut(path, o.WebSocketPath, notice.NoWebSocket); err != nil {
		return err
	}
	if polls == nil {
		e.bound(handler)
		return e.leaveOut(path, o.LongPollPath, notice.NoLongPoll)
	}
	handler.overLongPoll = outboundOf(polls.MaxBufferBytes, polls.MaxBufferMessages, longpoll.DefaultMaxBufferMessages)
	e.bound(handler)
	if polls.ClientAddr == nil {
		polls.ClientAddr = e.options.Limits.ClientAddress
	}
	lp, err := e.longpoll.Handler(handler, &o.Checks, polls)
	if err != nil {
		return err
	}
	return e.route(path, o.LongPollPath, lp, where)
}

// checkPath finds the path of a transport where that of the socket is wanted, and the other
// way round. Clients and Socket each add the former to the latter.
func checkPath(path string, o *SocketOptions) error {
	for _, text := range []string{path, o.WebSocketPath, o.LongPollPath} {
		if strings.ContainsAny(text, "{}<>*?#") || strings.Contains(text, "://") {
			return fmt.Errorf("%q is no path of segments, each a text or a variable such as \":tenant\"; write it as \"/of/:tenant/socket\"", text)
		}
	}
	last := lastSegment(path)
	for _, below := range []struct{ field, given, name string }{
		{"WebSocketPath", o.WebSocketPath, "websocket"},
		{"LongPollPath", o.LongPollPath, "longpoll"},
	} {
		whole := "/" + strings.Trim(path, "/")
		socket := strings.TrimRight(strings.TrimSuffix(strings.TrimRight(whole, "/"), last), "/")
		switch {
		case below.given == "" && strings.EqualFold(last, below.name):
			return fmt.Errorf("clients add %q to the path of a socket by themselves: mount it at %q, or set %s to %q if %s/%s is what they ask for",
				below.name, cmp.Or(socket, "/"), below.field, below.name, whole, below.name)
		case whole != "/" && strings.HasPrefix(below.given, whole+"/"):
			return fmt.Errorf("%s is %q, which is added to the path of the socket: write %q", below.field, below.given, strings.TrimPrefix(below.given, whole+"/"))
		}
	}
	return nil
}

// bound takes the bounds of a mount's connections into account.
func (e *Endpoint) bound(h *mountedHandler) {
	least := min(h.overWebSocket.bytes, h.overLongPoll.bytes)
	h.othersBytes = max(h.othersBytes, min(least, websocket.DefaultMaxQueueBytes))
	e.leastOutbound = min(e.leastOutbound, least)
	pace.Queue(e.pubsub, least)
	e.handlers = append(e.handlers, h)
}

// route sends the requests of a path to a transport.
func (e *Endpoint) route(path, below string, to served, where string) error {
	compiled, err := transport.CompilePath(path, below)
	if err != nil {
		return err
	}
	for _, m := range e.mounts {
		switch older, newer := m.path.String(), compiled.String(); {
		case older == newer:
			return fmt.Errorf("the path %s is already mounted at %s", compiled, m.where)
		case covers(newer, older):
			return fmt.Errorf("the path %s takes all requests of %s, mounted at %s, since the last mount is tried first; mount %s before %s",
				newer, older, m.where, newer, older)
		}
	}
	_, polls := to.(*longpoll.Handler)
	base, err := transport.CompilePath(path)
	if err != nil {
		return err
	}
	e.mounts = append(e.mounts, &mount{compiled, to, base, path, lastSegment(below), where, polls})
	return nil
}

// covers reports whether every path of one pattern is one of the other, too.
func covers(pattern, other string) bool {
	segments, others := strings.Split(pattern, "/"), strings.Split(other, "/")
	return slices.EqualFunc(segments, others, func(segment, other string) bool {
		return segment == other || strings.HasPrefix(segment, ":")
	})
}

// ServeHTTP implements http.Handler. A panic of a function that the program has given, such as
// Checks.Origin, is logged and answered 500; that of http.ErrAbortHandler passes.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, m := range slices.Backward(e.mounts) {
		if vars, ok := m.path.Match(r.URL.Path); ok {
			address, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			e.beginServing(r, address)
			if !e.proxied.over.Load() {
				e.warnOfProxy(m, r)
			}
			e.serve(w, r, m, vars)
			return
		}
	}
	e.unmounted(r)
	if e.options.Fallback != nil {
		e.fallBack(w, r)
	} else {
		http.NotFound(w, r)
	}
}

// Broadcast publishes an event to every subscriber of a topic, on all nodes. For
// the payload see Channel.Push.
//
// After errors about event or payload nobody got the event. ErrTooLarge has two causes: a client
// of the topic could not take the event (frame_too_large in the log), and nobody got it; or the
// broker could not (broker_too_large), and the clients of this node alone got it. The text of the
// error says which, with sizes. After any other error other nodes did not get it.
func (e *Endpoint) Broadcast(topic, event string, payload any) error {
	m, err := newMessage(topic, event, payload)
	if err != nil {
		return err
	}
	return e.publish(nil, m)
}

// BroadcastFrom is Broadcast without one channel.
func (e *Endpoint) BroadcastFrom(c *Channel, topic, event string, payload any) error {
	m, err := newMessage(topic, event, payload)
	if err != nil {
		return err
	}
	return e.publish((*fastlane)(c), m)
}

// LocalBroadcast is Broadcast on this node alone.
func (e *Endpoint) LocalBroadcast(topic, event string, payload any) error {
	m, err := newMessage(topic, event, payload)
	if err != nil {
		return err
	}
	if err := e.fits(m); err != nil {
		return err
	}
	e.pubsub.LocalBroadcast(m)
	return nil
}

// Disconnect closes every connection with this socket id, on all nodes, with code
// 1001. A connection whose Connect runs is refused when Connect has returned. Stock clients
// connect again, so Connect must refuse those that must stay out. An empty id is ErrTopic; after
// any other error those on other nodes may not have been told. While the broker is away nil means that the
// message waits for it. When a broker loses it, the other node asks for it: each endpoint keeps the
// last 16,384 ids that it has disconnected, up to 1 MiB of them. Each connection that is closed is
// in the log, as thrown_out.
func (e *Endpoint) Disconnect(id string) error {
	return e.Broadcast(id, EventDisconnect, nil)
}
