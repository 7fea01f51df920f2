package websocket

import (
	"cmp"
	"errors"
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// The name of the transport, and its path below that of the socket.
const (
	name        = "websocket"
	defaultPath = "websocket"
)

// New returns the transport for SocketOptions.Transports, which is the default there. A nil opts is
// the defaults; opts is copied. Endpoint.Socket panics for options that cannot work.
func New(opts *Options) transport.Transport {
	if opts == nil {
		opts = &Options{}
	}
	return &webSocket{*opts}
}

// webSocket implements transport.Transport, and seam.Mounter.
type webSocket struct{ opts Options }

// Name implements transport.Transport.
func (t *webSocket) Name() string { return name }

// Mount implements transport.Transport. An endpoint calls MountSeam instead.
func (t *webSocket) Mount(transport.Mount) error {
	return errors.New("websocket: list the result of New in SocketOptions.Transports itself, not wrapped in another transport")
}

// Traits implements seam.Mounter.
func (t *webSocket) Traits() seam.Traits {
	o := &t.opts
	return seam.Traits{
		Path: o.Path, DefaultPath: defaultPath,
		Manner:        seam.Manner{Transport: name, Offers: true},
		AcceptorPanic: notice.WebSocketAcceptor,
		Bounds: seam.Bounds{
			Message:       seam.Bound{Option: "websocket.Options.MaxMessage", Value: o.MaxMessage, Default: defaultMaxMessage},
			QueueBytes:    seam.Bound{Option: "websocket.Options.MaxQueueBytes", Value: o.MaxQueueBytes, Default: defaultMaxQueueBytes},
			QueueMessages: seam.Bound{Option: "websocket.Options.MaxQueueMessages", Value: o.MaxQueueMessages, Default: defaultMaxQueueMessages},
		},
	}
}

// serverKey is the key of the server that all mounts of an endpoint share.
type serverKey struct{}

// MountSeam implements seam.Mounter.
func (t *webSocket) MountSeam(host *seam.Host) ([]seam.Route, error) {
	// The first mount makes the server; its settings are the same for all mounts of an endpoint.
	s := host.Shared(serverKey{}, func() seam.Server {
		return newServer(&serverConfig{Logger: slog.New(host.Book.Handler()), NoEpoll: host.NoEpoll, MaxClosing: host.MaxClosing})
	}).(*server)
	o, b := t.opts, &host.Traits.Bounds
	// The endpoint may have changed the bounds, to fit those of the mount's other transports.
	o.MaxMessage, o.MaxQueueBytes, o.MaxQueueMessages = b.Message.Value, b.QueueBytes.Value, b.QueueMessages.Value
	h, err := s.handler(host, &o)
	if err != nil {
		return nil, err
	}
	return []seam.Route{{Path: cmp.Or(o.Path, defaultPath), Handler: h}}, nil
}
