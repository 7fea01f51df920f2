package bennu

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
)

// Endpoint is an http.Handler that clients connect to, with sockets mounted at paths. It owns every
// goroutine of its connections and channels, and Shutdown waits for them. All methods may be called
// from any goroutine, except Socket, which may be called only before the endpoint serves.
type Endpoint struct {
	node
	options    EndpointOptions
	transports transports
	mounts     growing[*mount]
	trustsHost growing[string] // paths of mounts with the default origin policy, when Host is not set
	proxied    proxied
	cancel     context.CancelFunc // ends the node's context
	serving    atomic.Bool        // beginServing was called
	limitsSaid atomic.Bool        // sayLimits was called
	// ending is closed when Shutdown begins; shutdownOnce closes it once.
	shutdownOnce sync.Once
	ending       chan struct{}
	closing      chan struct{}                 // a semaphore of one, held while functions of OnShutdown run
	closersMu    sync.Mutex                    // guards closers and closed
	closers      []func(context.Context) error // of OnShutdown, in the order of registration
	closed       bool                          // all closers were called
}

// EndpointOptions configure NewEndpoint. The zero value of each field is its
// default.
type EndpointOptions struct {
	// PubSub carries broadcasts. Endpoints that should receive each other's broadcasts share one.
	// Default: a PubSub of the endpoint's own, which reaches this node alone.
	PubSub *pubsub.PubSub
	// History keeps the broadcasts of topics, so that clients can go on where they were cut; see
	// package history. It must be made with the same PubSub, and NewEndpoint panics if the PubSub has one
	// that is not here. Default: none.
	History *history.Log
	// Logger receives the endpoint's log. Each kind of line is written at most 100 times a second.
	// Values whose names mark them as secrets are masked, and control characters are escaped.
	// Default slog.Default().
	Logger *slog.Logger
	// Limits bound what all clients together may use. The zero value is the defaults. The effective
	// limits are logged when the endpoint begins to serve.
	Limits NodeLimits
	// IgnoreGaps leaves channels joined when messages of other nodes may have been missed, for
	// instance because the broker was unreachable. By default their clients get phx_error and join
	// again. If messages of all topics may have been missed, about 2,000 channels end in a second,
	// or more if that would take longer than 30 s.
	IgnoreGaps bool
	// Secret signs the session tokens of long polling, which the endpoint gives to clients and must
	// get back unchanged. All nodes of a cluster need the same secret, of 32 random bytes or more;
	// fewer than 16 are refused. Default: random bytes, which only this node knows.
	Secret []byte
	// NoEpoll gives every WebSocket a goroutine that waits for its client. By default, on Linux, a
	// WebSocket over plain TCP has no goroutine while its client sends nothing, which saves memory,
	// and its deadlines are noticed up to 50 ms later. Over TLS and on other systems every WebSocket
	// has one.
	NoEpoll bool
	// Host is the host name under which browsers reach this server, as in the address bar, without
	// scheme and port. When it is set, the default origin policy of every mount allows the pages of
	// that host. Otherwise the policy allows pages whose scheme, host and port are those of the
	// request. Socket panics for text that cannot be the host of a page, with a sentence that says
	// what to write.
	//
	// Set it in production. Without it the policy also allows a page of any name that an attacker
	// points at this server's address (DNS rebinding). A server that listens on more than the
	// loopback interface logs that when it starts.
	Host string
	// Fallback serves requests for paths that are not mounted. Default: 404.
	Fallback http.Handler
	// DrainTime is the time over which Shutdown spreads the closing of connections, so that clients
	// do not all connect elsewhere at once. With few connections it takes less: at least 500
	// connections are closed each second. Default 30 s; Unlimited closes all at once.
	DrainTime time.Duration
}

// NewEndpoint makes an endpoint. A nil opts is the zero EndpointOptions; opts is copied. It panics
// for an option that cannot work, such as a number above 2^30, a time above a year, or a negative
// number other than Unlimited. The text of the panic says what to write.
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
	if e.options.History != nil && e.options.PubSub == nil {
		panic(fmt.Sprintf("bennu: %s: EndpointOptions.History needs PubSub, the one that history.New was given", where))
	}
	if h := e.options.History; h != nil && follow.Of(h).Followers().PubSub() != e.options.PubSub {
		panic(fmt.Sprintf("bennu: %s: EndpointOptions.History was made with another PubSub; give history.New that of the endpoint", where))
	}
	if e.options.History == nil && e.options.PubSub != nil && follow.Claimed(e.options.PubSub) {
		panic(fmt.Sprintf("bennu: %s: a history.Log was made with the PubSub of this endpoint; set EndpointOptions.History to it, or nothing is kept", where))
	}
	e.pubsub = e.options.PubSub
	if e.pubsub == nil {
		e.pubsub = pubsub.NewLocal()
	}
	e.book = notice.NewBook(slog.New(redact.NewHandler(e.options.Logger.Handler())))
	e.log = e.book.Log()
	e.start = time.Now()
	e.ignoreGaps = e.options.IgnoreGaps
	if e.options.History != nil {
		e.keeping, e.boot = follow.Of(e.options.History), rand.Text()
	}
	e.replayers.init(&e.tasks)
	e.admission = newAdmission(e.options.Limits)
	e.proxied.over.Store(e.options.Limits.ClientAddress != nil)
	return e
}

// PubSub returns the PubSub that carries the endpoint's broadcasts.
func (e *Endpoint) PubSub() *pubsub.PubSub { return e.pubsub }

// ServeHTTP implements http.Handler. Of several mounts that match, the one mounted last serves the
// request. A panic in a function of the program, such as Checks.Origin, is logged and answered with
// 500; http.ErrAbortHandler is passed on to net/http.
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

// Broadcast publishes an event to every subscriber of a topic, on all nodes. For payload see
// Channel.Push. The event "disconnect" also closes the connections whose socket id is the topic; see
// Disconnect.
//
// After an error about the event or the payload, nobody got the event. ErrTooLarge has two causes,
// which the text of the error tells apart, with sizes. A client of the topic could not take the
// event: then nobody got it, and the log has frame_too_large. Or the broker could not take it: then
// only the clients of this node got it, and the log has broker_too_large. After any other error,
// other nodes did not get it.
//
// On a topic that has a history, Broadcast waits until the store has the event, for up to
// history.Options.PublishTimeout. After any error then, no subscriber of any node got it, except after
// history.ErrUnknown, when that is not known. The errors are those of package history.
func (e *Endpoint) Broadcast(topic, event string, payload any) error {
	m, err := newMessage(topic, event, payload)
	if err != nil {
		return err
	}
	return e.publish(nil, m)
}

// BroadcastFrom is Broadcast to every subscriber except channel c.
func (e *Endpoint) BroadcastFrom(c *Channel, topic, event string, payload any) error {
	m, err := newMessage(topic, event, payload)
	if err != nil {
		return err
	}
	return e.publish((*fastlane)(c), m)
}

// LocalBroadcast is Broadcast to the subscribers on this node alone.
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

// Disconnect closes every connection with this socket id, on all nodes, with code 1001. A
// connection whose Connect is running is refused when Connect returns. Stock clients connect again,
// so Connect must refuse users who must stay out. Each closed connection is in the log, as
// thrown_out.
//
// An empty id is ErrInvalid. After any other error, connections on other nodes may still be open.
// While the broker is unreachable, nil means that the message waits for it. If the broker loses the
// message, the other nodes ask for it: each endpoint keeps the last 16,384 ids that it has
// disconnected, up to 1 MiB of them.
func (e *Endpoint) Disconnect(id string) error {
	return e.Broadcast(id, reserved.EventDisconnect, nil)
}

// check returns an error for options that cannot work, or nil.
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
