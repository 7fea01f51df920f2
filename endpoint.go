package bennu

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// Endpoint is where clients connect: an http.Handler with sockets mounted at
// paths. It owns every goroutine of its connections and channels; Shutdown waits for
// them. All methods may be called from any goroutine, but Socket only before the
// endpoint serves.
type Endpoint struct {
	node
	options    EndpointOptions
	transports transports
	mounts     growing[*mount]
	trustsHost growing[string] // mounts with the default origin policy, and no Host
	proxied    proxied
	cancel     context.CancelFunc // ends the node's context
	serving    atomic.Bool        // beginServing was called
	limitsSaid atomic.Bool        // sayLimits was called
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
	e.leastOutbound.Store(math.MaxInt64)
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
	return e
}

// PubSub is what the endpoint's broadcasts travel on.
func (e *Endpoint) PubSub() *pubsub.PubSub { return e.pubsub }

// ServeHTTP implements http.Handler. A panic of a function that the program has given, such as
// Checks.Origin, is logged and answered 500; that of http.ErrAbortHandler passes.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, m := range slices.Backward(e.mounts.all()) {
		if vars, ok := m.match(r.URL.Path); ok {
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

// check says what is wrong with options that cannot be meant.
func (o *EndpointOptions) check() error {
	c := option.Checker{Of: "EndpointOptions."}
	l := &o.Limits
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Limits.Connections", l.Connections}, {"Limits.PerAddress", l.PerAddress}, {"Limits.Connects", l.Connects},
		{"Limits.Joins", l.Joins}, {"Limits.PostBytes", l.PostBytes}, {"Limits.LateCallbacks", l.LateCallbacks},
	} {
		c.Count(n.name, n.value, 0, option.MaxCount)
	}
	c.Duration("DrainTime", o.DrainTime, 0, option.MaxDuration)
	c.Secret("Secret", o.Secret)
	return c.Err
}
