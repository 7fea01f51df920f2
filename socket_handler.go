package bennu

import (
	"context"
	"fmt"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// ConnectInfo describes the request behind a new connection to Connect. It is valid only during the
// call.
type ConnectInfo = transport.ConnectInfo

// A SocketHandler says who may connect, and which handlers serve which topics. It may be mounted at
// several paths. The zero value accepts everyone and has no channels. It must not be changed after
// it is mounted.
type SocketHandler struct {
	// Connect decides whether to accept a new connection, and may Assign values for its channels.
	// nil accepts everyone. ErrRefused answers 403 with an empty body, and transport.ErrBusy 503.
	// Any other error goes to the mount's ErrorHandler, which may answer with it; without one the
	// answer is 403. A panic answers 500.
	//
	// Its context derives from that of the request and ends after Limits.ConnectTimeout. If Connect
	// returns an error other than ErrRefused after that, the answer is 503. Connect runs before the
	// headers of a WebSocket are checked. The text of its error or panic is logged, with [FILTERED]
	// in place of the token.
	Connect func(ctx context.Context, s *Socket, info *ConnectInfo) error
	// ID returns the name of the user or device that a connection belongs to, for
	// Endpoint.Disconnect. It is called once, after Connect. nil or "" means none.
	ID func(s *Socket) string
	// Renew checks a token that a client pushed as access_token, with {"access_token": token}, on a
	// topic it has joined or on "phoenix". It returns the time until which the token is valid; the
	// zero time means without end. It must check that the token is of the user who connected, for
	// instance with Identity, because the channels keep serving that user.
	//
	// An *Error is sent to the client, and a Disconnect closes the connection. ErrRefused, and
	// errors of package token about the token, are answered with "invalid token". Any other error
	// is logged and answered with "internal". All of them leave the expiry as it was.
	//
	// Renew runs concurrently with the channels, one call at a time for each connection; a push
	// that comes meanwhile is answered with "busy". Its context ends after 5 s, or with the
	// connection. If Renew is nil, access_token is an event like any other.
	Renew func(ctx context.Context, s *Socket, token string) (expires time.Time, err error)
	// ExpiryGrace is how long a connection stays open after its client was warned that the
	// authentication has expired: token_expired, with {"closes_in": seconds}, is pushed to every
	// joined channel and on "phoenix". See Socket.ExpireAt. Default 25 s.
	ExpiryGrace time.Duration
	// Serializers are the supported versions of the protocol. The first that matches the client's
	// vsn is used. nil means wire.Defaults: versions 1 and 2.
	Serializers []wire.Versioned
	// Limits bound each connection. The zero value is the defaults.
	Limits Limits

	routes []route
	sealed bool                              // mounted: no channel may be added
	wrap   func(seam.Receiver) seam.Receiver // of seam.Wrap
}

// Channel registers a handler for the topics that match a pattern: a whole topic, or a prefix with
// * as its last character. Patterns are tried in the order of their registration; the first match
// is used. The first middleware is the outermost.
//
// Channel panics for a pattern that has a * elsewhere, is registered already, or can never match
// because an earlier one takes its topics; the text names both places. It also panics for a nil
// handler or middleware, and for patterns in the syntax of other routers, such as "room:{id}",
// "room:/:id" or "room:.+". The rest of a topic is in Channel.Topic.
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
		case earlier.Covers(r.Pattern):
			panic(fmt.Sprintf("bennu: %s: topic pattern %q can never match, because %q, registered before it at %s, takes its topics; register %q before %q",
				where, pattern, earlier, earlier.where, pattern, earlier))
		}
	}
	if defined != nil {
		r.seal = defined.seal
	}
	h.routes = append(h.routes, r)
}

// seal makes further registrations of channels, and of their handlers, panic. where is the place of
// the mount.
func (h *SocketHandler) seal(where string) {
	h.sealed = true
	for i := range h.routes {
		if seal := h.routes[i].seal; seal != nil {
			seal(where)
		}
	}
}

// checkHandler panics for a handler that is nil, or a Definition that Define has not made. The
// argument what names the handler.
func checkHandler(h ChannelHandler, where, what string) {
	if nils.Is(h) {
		panic(fmt.Sprintf("bennu: %s: %s is nil (%T)", where, what, h))
	}
	if d, ok := h.(definition); ok && !d.made() {
		panic(fmt.Sprintf("bennu: %s: %s is a zero %T; make one with Define", where, what, h))
	}
}
