package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
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
	// channels. nil accepts everyone. ErrRefused answers 403 with an empty body;
	// any other error is a reason that the mount's ErrorHandler may turn into a
	// response, 403 without one. A panic answers 500. It runs before the
	// upgrade's own headers are checked. The context is that of the handshake, for at
	// most Limits.ConnectTimeout; any error but ErrRefused that comes later is a timeout
	// and answers 503, as transport.ErrBusy does at any time. The text of an error or a
	// panic is logged, with [FILTERED] in place of the token.
	Connect func(ctx context.Context, s *Socket, info *ConnectInfo) error
	// ID names the connections of one user or device, for Endpoint.Disconnect. It is
	// called once, after Connect. nil or "" means none.
	ID func(s *Socket) string
	// Renew checks a token that a client pushed as access_token, on a topic it has
	// joined or on "phoenix", and returns until when it is good; the zero time
	// means without end. An *Error is the reply to the client, Disconnect closes
	// the connection, any other error is logged and answered with "internal"; all
	// leave the expiry as it was. It runs beside the channels, one at a time for each
	// connection, further ones being answered with "busy". Its context ends after
	// 5 s, or with the connection. nil means that access_token is an event like any
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
}

// Channel sends topics to a handler. The pattern is a whole topic, or a prefix with
// * as its last character. Patterns are tried in the order of their registration;
// the first that matches wins. Middleware is applied so that the first is outermost.
//
// A pattern that has a * elsewhere, that is registered already, or that can never match
// because an earlier one takes its topics, is a mistake of the program: Channel panics and
// names both places. So is a handler or middleware that is nil.
func (h *SocketHandler) Channel(pattern string, handler ChannelHandler, middleware ...Middleware) {
	where := caller()
	if h.sealed {
		panic(fmt.Sprintf("bennu: %s: channel %q is registered after its SocketHandler was mounted; register all channels before Endpoint.Socket", where, pattern))
	}
	checkHandler(handler, where, fmt.Sprintf("the handler of %q", pattern))
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
	h.routes = append(h.routes, r)
}

// checkHandler panics for a handler that is nil, or a Definition that Define has not made.
func checkHandler(h ChannelHandler, where, what string) {
	if nils.Is(h) {
		panic(fmt.Sprintf("bennu: %s: %s is nil (%T)", where, what, h))
	}
	if d, ok := h.(interface{ made() bool }); ok && !d.made() {
		panic(fmt.Sprintf("bennu: %s: %s is a zero %T; make one with Define", where, what, h))
	}
}

// mountedHandler is a SocketHandler as a mount uses it: checked, with its
// limits resolved, and of no more use to whoever holds the original.
type mountedHandler struct {
	endpoint *Endpoint
	connect  func(ctx context.Context, s *Socket, info *ConnectInfo) error
	id       func(s *Socket) string
	versions *wire.Versions
	limits   Limits
	routes   []route
	renew    func(ctx context.Context, s *Socket, token string) (time.Time, error)

	expiryGrace time.Duration

	path      string // as it was given to Endpoint.Socket
	authToken bool   // the mount takes tokens
}

// MountPath tells the transports where they are mounted.
func (h *mountedHandler) MountPath() string { return h.path }

func (h *SocketHandler) mount(e *Endpoint) (*mountedHandler, error) {
	if h == nil {
		return nil, errors.New("the SocketHandler is nil")
	}
	list := h.Serializers
	if list == nil {
		list = wire.Defaults()
	}
	versions, err := wire.NewVersions(list)
	if err != nil {
		return nil, err
	}
	h.sealed = true
	return &mountedHandler{
		endpoint: e, connect: h.Connect, id: h.ID, versions: versions,
		limits: h.Limits.withDefaults(), routes: h.routes,
		renew: h.Renew, expiryGrace: limit(h.ExpiryGrace, 25*time.Second),
	}, nil
}

// match is the handler of a topic, or nil. A topic out of bounds arrives here empty,
// and no pattern but * matches that; it is refused before.
func (h *mountedHandler) match(topic string) ChannelHandler {
	for i := range h.routes {
		if h.routes[i].match(topic) {
			return h.routes[i].handler
		}
	}
	return nil
}

// Accept implements transport.Acceptor: version, connect, id, in that order.
func (h *mountedHandler) Accept(info *transport.ConnectInfo) (transport.Receiver, error) {
	s := &Socket{endpoint: h.endpoint, handler: h, transport: info.Transport, address: notice.Counted(info.Context())}
	if s.address == "" {
		s.address = info.PeerAddr()
	}
	if !s.admit() {
		return nil, transport.ErrBusy
	}
	vsn := wire.DefaultVersion
	if v, ok := info.Params["vsn"]; ok {
		vsn, _ = v.(string) // a list or a map is no version
	}
	var ok bool
	if s.serializer, ok = h.versions.Select(vsn); !ok {
		s.at("", "").say(notice.Version, slog.String("vsn", versionText(vsn)))
		return nil, ErrRefused
	}
	if h.connect == nil && h.id == nil {
		return (*receiver)(s), nil
	}
	// What the application does with a connection may be dear, and many come at once
	// after a restart.
	connects := h.endpoint.admission.connects
	if !connects.Acquire(info.Context()) {
		if info.Context().Err() != nil {
			s.at("", "").say(notice.Gone)
		} else {
			s.at("", "").say(notice.ConnectsBusy, slog.Int("limit", h.endpoint.admission.limits.Connects))
		}
		return nil, transport.ErrBusy
	}
	defer connects.Release()
	if h.connect != nil {
		ctx, cancel := context.WithTimeout(info.Context(), h.limits.ConnectTimeout)
		defer cancel()
		call := &connecting{s: s}
		token := info.AuthToken
		if err := withoutNil(h.connect(context.WithValue(ctx, connectingKey{}, call), s, info)); err != nil {
			if call.said {
				return nil, err
			}
			return nil, s.refused(ctx, err, func(err error) slog.Attr {
				return slog.String("error", redact.Known(textOf(err), token, info.Params))
			})
		}
	}
	if h.id != nil {
		s.id = h.id(s)
	}
	return (*receiver)(s), nil
}

// versionText is a version in the log. What is none is a parameter as any other, and stays out.
func versionText(vsn string) string {
	if len(vsn) > 16 || strings.Trim(vsn, "0123456789.") != "" {
		return "(no version)"
	}
	return vsn
}

// refused says why Connect refused a connection, and returns what the transport is to know
// of it. The function text makes an attribute of an error, which may quote the token.
func (s *Socket) refused(ctx context.Context, err error, text func(error) slog.Attr) error {
	place := s.at("", "")
	switch {
	case errors.Is(err, ErrRefused):
		place.say(notice.ConnectRefused)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		// Whatever Connect was doing, it could not end it.
		place.say(notice.ConnectTimeout, slog.Duration("limit", s.handler.limits.ConnectTimeout), text(err))
		return transport.ErrBusy
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		place.say(notice.Gone)
	case errors.Is(err, transport.ErrBusy):
		place.say(notice.ConnectBusy, text(err))
	default:
		place.say(notice.ConnectError, text(err))
	}
	return err
}
