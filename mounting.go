package bennu

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/bennu-go/bennu/internal/link"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/stock"
	"github.com/bennu-go/bennu/internal/weborigin"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// SocketOptions configure one mount. The zero value and a nil pointer are the defaults.
type SocketOptions struct {
	// Checks are the rules that a request must pass on every transport: origin policy, auth token,
	// subprotocols, web session.
	Checks transport.Checks
	// Transports are the transports that clients may use, each below the mount's path at the Path
	// of its options: WebSocket, long polling for clients behind proxies that break WebSocket, or
	// one of your own; see package transport. nil is WebSocket alone, with its defaults.
	//
	// Every client must be able to receive the largest message that any client may send. So limits
	// of transports that are not set get values that fit those that are set, and Socket panics for
	// two set limits that do not fit each other.
	Transports []transport.Transport
	// ErrorHandler answers a request that Connect refused with an error other than ErrRefused and
	// transport.ErrBusy. It must write the whole response. nil answers 403 with an empty body; long
	// polling does so in any case.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
}

// Socket mounts a handler at a path. Segments of the path may be variables such as ":tenant"; they
// become parameters of Connect and replace those of the query. Where the paths of two mounts
// overlap, the one mounted last is tried first, so mount the more general one first.
//
// The path is that of the socket, such as "/socket"; clients add the path of the transport
// themselves. Socket panics for a path or an option that cannot work, with a sentence that says
// what to do.
//
// After that, no channel can be added to h and no handler to its channels.
func (e *Endpoint) Socket(path string, h *SocketHandler, opts *SocketOptions) {
	where := caller()
	if err := e.mount(path, h, opts, where); err != nil {
		panic(fmt.Sprintf("bennu: %s: socket %q: %v", where, path, err))
	}
}

// mount is Socket with an error in place of the panic.
func (e *Endpoint) mount(path string, h *SocketHandler, opts *SocketOptions, where string) error {
	o := SocketOptions{}
	if opts != nil {
		o = *opts
	}
	list, err := listed(o.Transports)
	if err != nil {
		return err
	}
	if err := checkPath(path, list); err != nil {
		return err
	}
	if err := e.resolveChecks(path, &o.Checks); err != nil {
		return err
	}
	handler, err := h.mount(e)
	if err != nil {
		return err
	}
	h.seal(where)
	handler.path, handler.authToken = path, o.Checks.AuthToken || o.Checks.TokenParam != ""
	if !handler.authToken && isAuthenticate(h.Connect) {
		// Not an error: a handler may be mounted twice, and refuse all clients at one of the paths.
		e.book.Say(notice.AuthTokenOff, slog.String("mount", path))
	}
	if err := relateBounds(list); err != nil {
		return err
	}
	if err := handler.limits.relateQueues(h.Limits.Topics != 0, e.keeping != nil, list); err != nil {
		return err
	}
	before := len(e.mounts.all())
	hosts := make([]*seam.Host, len(list))
	for i, t := range list {
		hosts[i] = e.host(handler, t, &o)
	}
	e.bound(handler)
	for i, t := range list {
		routes, err := t.MountSeam(hosts[i])
		if err != nil {
			return err
		}
		for _, r := range routes {
			if err := e.route(path, r, hosts[i], where); err != nil {
				return err
			}
		}
	}
	if e.limitsSaid.Load() { // the endpoint serves already, by a listener of an earlier transport
		e.logMounts([]*mountedHandler{handler}, e.mounts.all()[before:])
	}
	return nil
}

// resolveChecks applies the options of the endpoint to the checks of a mount, and validates them.
func (e *Endpoint) resolveChecks(path string, c *transport.Checks) error {
	if e.options.Host != "" {
		host, err := weborigin.ParseHost(e.options.Host)
		if err != nil {
			return fmt.Errorf("EndpointOptions: %w", err)
		}
		if c.Origin == nil {
			if c.Origin, err = transport.Origins("//" + weborigin.Join(host, "", "")); err != nil {
				return fmt.Errorf("EndpointOptions: Host: %w", err)
			}
		}
	}
	if c.Origin == nil && !c.InsecureSkipOriginCheck {
		e.trustsHost.add(path)
	}
	if c.InsecureSkipOriginCheck {
		e.log.Log(slog.LevelWarn, "origin check is off: any website can connect with its visitor's network position", slog.String("path", path))
	}
	if err := checkVariables(path, c); err != nil {
		return err
	}
	return seam.Validate(c)
}

// checkVariables returns an error for a path with a variable that has the name of the token's
// parameter: it would not reach Connect.
func checkVariables(path string, c *transport.Checks) error {
	if c.TokenParam != "" && strings.Contains("/"+path+"/", "/:"+c.TokenParam+"/") {
		return fmt.Errorf("the path has the variable %q, which TokenParam names too; rename one of them", ":"+c.TokenParam)
	}
	return nil
}

// listedTransport is one of the transports of a mount.
type listedTransport struct {
	seam.Mounter
	name   string
	traits seam.Traits // relateBounds changes its bounds
}

// listed checks SocketOptions.Transports and returns the list, or that of the default. A transport
// of a program gets a seam.Mounter from package link.
func listed(given []transport.Transport) ([]*listedTransport, error) {
	if given == nil {
		given = []transport.Transport{websocket.New(nil)}
	}
	if len(given) == 0 {
		return nil, errors.New("the list of Transports is empty; leave it nil for WebSocket, or list one")
	}
	var list []*listedTransport
	for i, t := range given {
		if nils.Is(t) {
			return nil, fmt.Errorf("nil (%[2]T) as Transports[%[1]d]; take it out, or list what the New of its package returns", i, t)
		}
		l := &listedTransport{name: t.Name()}
		if !isTransportName(l.name) {
			return nil, fmt.Errorf("the name of Transports[%d] (%T) is %q; its Name must return 1 to 32 of a-z, 0-9 and -", i, t, l.name)
		}
		if k := slices.IndexFunc(list, func(o *listedTransport) bool { return o.name == l.name }); k >= 0 {
			return nil, fmt.Errorf("the name of Transports[%d] is that of Transports[%d], %q; list each transport once, or mount the second at another path", i, k, l.name)
		}
		mounter, ok := t.(seam.Mounter)
		if !ok {
			mounter = link.Mounter(t, l.name)
		}
		l.Mounter, l.traits = mounter, mounter.Traits()
		list = append(list, l)
	}
	return list, nil
}

// isTransportName reports whether name can be the name of a transport.
func isTransportName(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// checkPath returns an error for a path that ends with that of a transport, such as the default one
// of WebSocket: clients would add it once more.
func checkPath(path string, list []*listedTransport) error {
	if err := checkSegments(path); err != nil {
		return err
	}
	last := lastSegment(path)
	name, known := stock.Segment(last)
	given := slices.ContainsFunc(list, func(t *listedTransport) bool { return t.traits.DefaultPath == name && t.traits.Path != "" })
	if !known || given {
		return nil
	}
	whole := "/" + strings.Trim(path, "/")
	socket := strings.TrimRight(strings.TrimSuffix(strings.TrimRight(whole, "/"), last), "/")
	return fmt.Errorf("clients add %q to the path of a socket by themselves: mount it at %q, or set Path in the options of the transport to %q if %s/%s is what they ask for",
		name, cmp.Or(socket, "/"), name, whole, name)
}

// checkSegments returns an error for a path in the pattern syntax of other routers.
func checkSegments(path string) error {
	if strings.ContainsAny(path, "{}<>*?#") || strings.Contains(path, "://") {
		return fmt.Errorf("%q is not a path of segments, each a text or a variable such as \":tenant\"; write it as \"/of/:tenant/socket\"", path)
	}
	return nil
}

// host returns the seam.Host through which one transport of a mount sees the endpoint.
func (e *Endpoint) host(h *mountedHandler, t *listedTransport, o *SocketOptions) *seam.Host {
	v := newVia(h, t.name, &t.traits)
	h.leastOutbound = min(h.leastOutbound, v.outbound.bytes)
	return &seam.Host{
		Name: t.name, Path: h.path, Traits: t.traits, Acceptor: v, Checks: o.Checks, Book: e.book, ErrorHandler: o.ErrorHandler,
		Root: e, Ending: e.ending, PubSub: e.pubsub, Secret: e.options.Secret, ClientAddress: e.options.Limits.ClientAddress,
		MaxPostBytes: e.options.Limits.PostBytes, MaxClosing: closingMost(e.admission.limits.Connections), NoEpoll: e.options.NoEpoll,
		Arrived: func(r *http.Request) *http.Request { e.sayLimits(); return e.admission.identify(r) },
		Shared: func(key any, newServer func() seam.Server) seam.Server {
			return e.transports.shared(t.name, key, newServer)
		},
	}
}

// mostOthers bounds, in bytes, how far othersBytes follows the queue bound of clients.
const mostOthers = 4 << 20

// bound applies the queue bounds of a mount to its handler and to the endpoint.
func (e *Endpoint) bound(h *mountedHandler) {
	h.othersBytes = max(h.othersBytes, min(h.leastOutbound, mostOthers))
	e.lowerOutbound(h.leastOutbound)
	e.handlers.add(h)
}
