package longpoll

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

const (
	// The name of the transport, and its path below that of the socket.
	name        = "longpoll"
	defaultPath = "longpoll"
)

// New returns the transport for SocketOptions.Transports. A nil opts is the defaults; opts is
// copied. Endpoint.Socket panics for options that cannot work.
//
// Its Stats count sessions as connections. IdleTimeouts are sessions that were not polled any more.
// Lost are those of which a batch of messages could not be written, or was asked for after it was
// dropped. Refused are requests for a session. Extra has
//
//   - address_limited: requests for a session from an address that has too many
//   - polls, posts: those that reached a session of this node
//   - batches, redelivered: batches of messages given to clients, and given again to clients that
//     missed them
//   - bad_tokens: tokens that no server with this secret made, or that are for another mount
//   - bad_bodies: bodies that are too large, cut, slow, or contain no messages
//   - ignored_lines: posts with more messages than MaxBatch
//   - unhandled: posts answered with 408
//   - binary_dropped: binary frames, which no client can receive
//   - relayed: requests of clients here that other nodes served
//   - garbage: messages of other nodes that are not valid
//   - gaps: sessions that ended because their client asked for a batch that was dropped
func New(opts *Options) transport.Transport {
	if opts == nil {
		opts = &Options{}
	}
	return &longPoll{*opts}
}

// longPoll implements transport.Transport, and seam.Mounter.
type longPoll struct{ opts Options }

// Name implements transport.Transport.
func (t *longPoll) Name() string { return name }

// Mount implements transport.Transport. An endpoint calls MountSeam instead.
func (t *longPoll) Mount(transport.Mount) error {
	return errors.New("longpoll: list the result of New in SocketOptions.Transports itself, not wrapped in another transport")
}

// Traits implements seam.Mounter.
func (t *longPoll) Traits() seam.Traits {
	o := &t.opts
	return seam.Traits{
		Path: o.Path, DefaultPath: defaultPath,
		Manner:        seam.Manner{Transport: name, HeaderToken: true, SessionToken: true},
		TextOnly:      true,
		AcceptorPanic: notice.LongPollAcceptor,
		Bounds: seam.Bounds{
			Message:       seam.Bound{Option: "longpoll.Options.MaxBody", Value: o.MaxBody, Default: defaultMaxBody},
			QueueBytes:    seam.Bound{Option: "longpoll.Options.MaxBufferBytes", Value: o.MaxBufferBytes, Default: defaultMaxBufferBytes},
			QueueMessages: seam.Bound{Option: "longpoll.Options.MaxBufferMessages", Value: o.MaxBufferMessages, Default: defaultMaxBufferMessages},
		},
	}
}

// maxRelayed bounds MaxBody and MaxBufferBytes on a node of a cluster, in bytes: such bodies fit in
// maxParts messages between nodes.
const maxRelayed = 96 << 20

// serverKey is the key of the server that all mounts of an endpoint share.
type serverKey struct{}

// MountSeam implements seam.Mounter.
func (t *longPoll) MountSeam(host *seam.Host) ([]seam.Route, error) {
	o, b := t.opts, &host.Traits.Bounds
	if host.PubSub.Node() != "" && max(o.MaxBody, o.MaxBufferBytes) > maxRelayed {
		return nil, fmt.Errorf("option longpoll.Options.MaxBody is %d, and MaxBufferBytes %d; at most %d bytes can be passed to another node at once: lower them",
			o.MaxBody, o.MaxBufferBytes, maxRelayed)
	}
	// The first mount makes the server; its settings are the same for all mounts of an endpoint.
	s := host.Shared(serverKey{}, func() seam.Server {
		return newServer(&serverConfig{Logger: slog.New(host.Book.Handler()), PubSub: host.PubSub, Secret: host.Secret, MaxPostBytes: host.MaxPostBytes})
	}).(*server)
	// The endpoint may have changed the bounds, to fit those of the mount's other transports.
	o.MaxBody, o.MaxBufferBytes, o.MaxBufferMessages = b.Message.Value, b.QueueBytes.Value, b.QueueMessages.Value
	h, err := s.handler(host, &o)
	if err != nil {
		return nil, err
	}
	return []seam.Route{{Path: cmp.Or(o.Path, defaultPath), Handler: h}}, nil
}
