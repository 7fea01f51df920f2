package bennu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/vsn"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// ConnectInfo is what Connect may know of the request behind a new connection. It
// is valid only during the call.
type ConnectInfo = transport.ConnectInfo

// A SocketHandler says who may connect and which topics go to which channels. It
// may be mounted at several paths. The zero value accepts everyone and has no
// channels. It must not be changed once it is mounted.
type SocketHandler struct {
	// Connect decides over a new connection, and may Assign values for its
	// channels. nil accepts everyone. ErrRefused answers 403 with an empty body, and
	// transport.ErrBusy 503; any other error goes to the mount's ErrorHandler, which
	// may answer with it, and is 403 where there is none. A panic answers 500.
	//
	// Its context is that of the request, and ends after Limits.ConnectTimeout: any
	// error but ErrRefused that comes later is a timeout and answers 503. It runs
	// before the headers of a WebSocket are checked. The text of an error or a panic is
	// logged, with [FILTERED] in place of the token.
	Connect func(ctx context.Context, s *Socket, info *ConnectInfo) error
	// ID names the connections of one user or device, for Endpoint.Disconnect. It is
	// called once, after Connect. nil or "" means none.
	ID func(s *Socket) string
	// Renew checks a token that a client pushed as access_token, on a topic it has
	// joined or on "phoenix", and returns until when it is good; the zero time
	// means without end. It must compare whose token it is with who connected, for
	// instance with Identity: the channels go on as the latter.
	//
	// An *Error is the reply to the client, and Disconnect closes the connection. ErrRefused
	// and what package token finds wrong with the token are answered with "invalid token";
	// any other error is logged and answered with "internal". All of them leave the
	// expiry as it was. Renew runs beside the channels, one call at a time for each connection;
	// a push that comes meanwhile is answered with "busy". Its context ends after 5 s,
	// or with the connection. Where Renew is nil, access_token is an event like any
	// other.
	Renew func(ctx context.Context, s *Socket, token string) (expires time.Time, err error)
	// ExpiryGrace is how long a connection whose authentication has expired stays
	// open after its client was warned; see Socket.ExpireAt. Default 25 s.
	ExpiryGrace time.Duration
	// Serializers are the versions of the protocol spoken, the first that matches the
	// client's vsn wins. nil means wire.Defaults: versions 1 and 2.
	Serializers []wire.Versioned
	// Limits bound each connection. The zero value is the defaults.
	Limits Limits

	routes []route
	sealed bool
	wrap   func(seam.Receiver) seam.Receiver // of seam.Wrap
}

// Channel sends topics to a handler. The pattern is a whole topic, or a prefix with
// * as its last character. Patterns are tried in the order of their registration;
// the first that matches wins. Middleware is applied so that the first is outermost.
//
// A pattern that has a * elsewhere, that is registered already, or that can never match
// because an earlier one takes its topics, is a mistake of the program: Channel panics and
// names both places. So are a handler or middleware that is nil, and a pattern with a part
// that routers elsewhere know and this one does not, such as "room:{id}", "room/:id" or
// "room:.+": the rest of a topic is in Channel.Topic.
func (h *SocketHandler) Channel(pattern string, handler ChannelHandler, middleware ...Middleware) {
	where := caller()
	if h.sealed {
		panic(fmt.Sprintf("bennu: %s: channel %q is registered after its SocketHandler was mounted; register all channels before Endpoint.Socket", where, pattern))
	}
	checkHandler(handler, where, fmt.Sprintf("the handler of %q", pattern))
	defined, _ := handler.(definition) // middleware hides it
	for i := len(middleware) - 1; i >= 0; i-- {
		if middleware[i] == nil {
			panic(fmt.Sprintf("bennu: %s: middleware %d of %q is nil", where, i+1, pattern))
		}
		handler = middleware[i](handler)
		checkHandler(handler, where, fmt.Sprintf("the handler that middleware %d of %q returned", i+1, pattern))
	}
	r := newRoute(pattern, handler, where)
	for i := range h.routes {
		earlier := &h.routes[i]
		switch {
		case earlier.String() == r.String():
			panic(fmt.Sprintf("bennu: %s: topic pattern %q is already registered at %s", where, pattern, earlier.where))
		case earlier.covers(&r):
			panic(fmt.Sprintf("bennu: %s: topic pattern %q can never match, because %q, registered before it at %s, takes its topics; register %q before %q",
				where, pattern, earlier, earlier.where, pattern, earlier))
		}
	}
	if defined != nil {
		r.seal = defined.seal
	}
	h.routes = append(h.routes, r)
}

// seal ends the registration of channels, and of their handlers.
func (h *SocketHandler) seal(where string) {
	h.sealed = true
	for i := range h.routes {
		if seal := h.routes[i].seal; seal != nil {
			seal(where)
		}
	}
}

// checkHandler panics for a handler that is nil, or a Definition that Define has not made.
func checkHandler(h ChannelHandler, where, what string) {
	if nils.Is(h) {
		panic(fmt.Sprintf("bennu: %s: %s is nil (%T)", where, what, h))
	}
	if d, ok := h.(definition); ok && !d.made() {
		panic(fmt.Sprintf("bennu: %s: %s is a zero %T; make one with Define", where, what, h))
	}
}

// mountedHandler is a SocketHandler as a mount uses it: checked, with its
// limits resolved, and of no more use to whoever holds the original.
type mountedHandler struct {
	endpoint *Endpoint
	connect  func(ctx context.Context, s *Socket, info *ConnectInfo) error
	id       func(s *Socket) string
	versions *vsn.Versions
	limits   Limits
	routes   []route
	wrap     func(seam.Receiver) seam.Receiver // of seam.Wrap; may be nil
	renew    func(ctx context.Context, s *Socket, token string) (time.Time, error)

	expiryGrace time.Duration

	// leastOutbound is the least that may wait for a client, in bytes, of all transports.
	leastOutbound int
	// othersBytes bounds what waits for a channel from elsewhere: MailboxBytes, or as much as
	// could wait for its client, who gets intercepted broadcasts that way.
	othersBytes int

	// lateConnects and lateRenews count the callbacks that run on after their time.
	lateConnects, lateRenews atomic.Int64

	path      string // as it was given to Endpoint.Socket
	authToken bool   // the mount takes tokens
}

func (h *SocketHandler) mount(e *Endpoint) (*mountedHandler, error) {
	if h == nil {
		return nil, errors.New("the SocketHandler is nil")
	}
	list := h.Serializers
	if list == nil {
		list = wire.Defaults()
	}
	versions, err := vsn.New(bounded(list, h.Limits.MessageTokens))
	if err != nil {
		return nil, err
	}
	limits := h.Limits
	grace := option.Checker{Of: "SocketHandler."}
	grace.Duration("ExpiryGrace", h.ExpiryGrace, 0, option.MaxDuration)
	if err := cmp.Or(limits.check(), grace.Err); err != nil {
		return nil, err
	}
	if err := limits.relate(); err != nil {
		return nil, err
	}
	if h.ID != nil {
		e.disconnects.listen(&e.node)
	}
	return &mountedHandler{
		wrap:     h.wrap,
		endpoint: e, connect: h.Connect, id: h.ID, versions: versions,
		limits: limits.withDefaults(), routes: h.routes,
		renew: h.Renew, expiryGrace: limit(h.ExpiryGrace, 25*time.Second),
		leastOutbound: math.MaxInt,
		othersBytes:   limit(h.Limits.MailboxBytes, 256<<10),
	}, nil
}

// bounded gives the serializers of package wire the bound of a mount.
func bounded(list []wire.Versioned, tokens int) []wire.Versioned {
	if tokens == 0 {
		return list
	}
	tokens = limit(tokens, 0)
	list = slices.Clone(list)
	for i := range list {
		switch v := list[i].Serializer.(type) {
		case wire.V1:
			v.MaxTokens = cmp.Or(v.MaxTokens, tokens)
			list[i].Serializer = v
		case wire.V2:
			v.MaxTokens = cmp.Or(v.MaxTokens, tokens)
			list[i].Serializer = v
		}
	}
	return list
}

// match is the handler of a topic, or nil. A topic out of bounds arrives here empty,
// and no pattern but * matches that; it is refused before.
func (h *mountedHandler) match(topic string) ChannelHandler {
	if reserved.Topic(topic) {
		return nil
	}
	if r := h.route(topic); r != nil {
		return r.handler
	}
	return nil
}

// route is the route of a topic, or nil.
func (h *mountedHandler) route(topic string) *route {
	for i := range h.routes {
		if h.routes[i].match(topic) {
			return &h.routes[i]
		}
	}
	return nil
}

// accept decides over a new connection: version, connect, id, in that order.
func (h *mountedHandler) accept(v *via, info *transport.ConnectInfo) (seam.Receiver, error) {
	s := &Socket{node: &h.endpoint.node, handler: h, via: v, address: notice.Counted(info.Context())}
	if s.address == "" {
		s.address = info.PeerAddr()
	}
	if !s.admit() {
		return nil, transport.ErrBusy
	}
	version := vsn.Default
	if v, ok := info.Params["vsn"]; ok {
		version, _ = v.(string) // a list or a map is no version
	}
	var ok bool
	if s.serializer, ok = h.versions.Select(version); !ok {
		s.at("", "").say(notice.Version, slog.String("vsn", versionText(version)))
		return nil, ErrRefused
	}
	if h.connect == nil && h.id == nil {
		return h.receiverOf(s), nil
	}
	if h.id != nil {
		if !s.node.disconnects.await(info.Context(), h.limits.ConnectTimeout) {
			s.at("", "").say(notice.Deaf)
			return nil, transport.ErrBusy
		}
		s.began = s.node.disconnects.begin()
	}
	if err := (&connecting{s: s}).run(info); err != nil {
		return nil, err
	}
	return h.receiverOf(s), nil
}

// versionText is a version in the log. What is none is a parameter as any other, and stays out.
func versionText(vsn string) string {
	if len(vsn) > 16 || strings.Trim(vsn, "0123456789.") != "" {
		return "(no version)"
	}
	return vsn
}
