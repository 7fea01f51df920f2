package bennu

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/vsn"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// mountedHandler is a checked copy of a SocketHandler for one mount, with its limits resolved.
// Later changes of the original do not affect it.
type mountedHandler struct {
	endpoint *Endpoint
	connect  func(ctx context.Context, s *Socket, info *ConnectInfo) error
	id       func(s *Socket) string // may be nil
	versions *vsn.Versions
	limits   Limits
	routes   []route
	wrap     func(seam.Receiver) seam.Receiver // of seam.Wrap; may be nil
	renew    func(ctx context.Context, s *Socket, token string) (time.Time, error)

	expiryGrace time.Duration

	// leastOutbound is the smallest queue bound of the mount's transports, in bytes.
	leastOutbound int
	// othersBytes bounds the bytes in a mailbox that do not come from the client: MailboxBytes, or
	// the queue bound of its client if that is larger, since intercepted broadcasts pass through
	// the mailbox.
	othersBytes int

	// lateConnects and lateRenews count the callbacks that run on after their context has ended.
	lateConnects, lateRenews atomic.Int64

	path      string // the argument of Endpoint.Socket
	authToken bool   // the mount's Checks take tokens
}

// mount returns a checked copy of the handler. The error is a mistake of the program.
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

// bounded returns the serializers with the mount's bound on tokens. Serializers with a bound of
// their own, and those that are not of package wire, stay as they are.
func bounded(list []wire.Versioned, tokens int) []wire.Versioned {
	if tokens == 0 {
		return list
	}
	o := &wire.Options{MaxTokens: tokens}
	list = slices.Clone(list)
	for i := range list {
		switch list[i].Serializer {
		case wire.V1(nil):
			list[i].Serializer = wire.V1(o)
		case wire.V2(nil):
			list[i].Serializer = wire.V2(o)
		}
	}
	return list
}

// match returns the handler of a topic, or nil. A join whose topic is not valid text is refused
// before, since the pattern * would match the empty Message.Topic.
func (h *mountedHandler) match(topic string) ChannelHandler {
	if reserved.Topic(topic) {
		return nil
	}
	if r := h.route(topic); r != nil {
		return r.handler
	}
	return nil
}

// route returns the route of a topic, or nil.
func (h *mountedHandler) route(topic string) *route {
	for i := range h.routes {
		if h.routes[i].Match(topic) {
			return &h.routes[i]
		}
	}
	return nil
}

// accept decides whether to accept a new connection. It checks limits, the protocol version and
// then Connect and ID, in this order, which clients can observe.
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
		version, _ = v.(string) // empty for a list or a map, which Select refuses
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

// versionText returns a protocol version for the log. Text that cannot be a version stays out of
// the log, as every parameter does: it may be a secret.
func versionText(vsn string) string {
	if len(vsn) > 16 || strings.Trim(vsn, "0123456789.") != "" {
		return "(no version)"
	}
	return vsn
}
