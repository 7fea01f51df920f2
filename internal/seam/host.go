package seam

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// A Mounter is a transport that Endpoint.Socket mounts as it is. Those of this module are; others
// have a Mounter around them that shows them a transport.Mount.
type Mounter interface {
	// Traits says what the endpoint must know before it mounts the transport.
	Traits() Traits
	// MountSeam prepares one mount. An error is a mistake of the program. Nodes that serve each
	// other's connections mount in the same order.
	MountSeam(h *Host) ([]Route, error)
}

// Traits are what an endpoint must know of a transport before it mounts it.
type Traits struct {
	// Path is where it is below the path of the socket, if the program has said so, and
	// DefaultPath where it is otherwise. Both are empty where the transport is at no path, or at
	// one of which only MountSeam knows.
	Path, DefaultPath string
	Manner            Manner
	// TextOnly: its clients cannot get binary frames.
	TextOnly bool
	Bounds   Bounds
	// OwnBounds: the bounds are defaults, and each connection has its own; see ability.Bounded.
	OwnBounds bool
	// AcceptorPanic is the reason in the log for a panic of Connect.
	AcceptorPanic notice.Kind
}

// A Route is a path below that of the socket, and what serves it.
type Route struct {
	Path    string // empty where the transport takes no requests below the socket
	Handler Handler
}

// A Handler serves the requests of one path. Its methods may be called from any goroutine.
type Handler interface {
	// Serve answers a request. The vars are those of the mount's path. The ResponseWriter is that
	// of the http.Server, or of the middleware in front.
	Serve(w http.ResponseWriter, r *http.Request, vars map[string]string)
	// Limits are the effective limits of the mount, for the log, which masks what is called a
	// token or a session.
	Limits() []slog.Attr
	// Begins reports whether a request asks for a new connection, and is not about one that
	// exists.
	Begins(r *http.Request) bool
}

// A Host is one mount of one transport.
type Host struct {
	Name         string // of the transport
	Path         string // of the socket, as it was given to Endpoint.Socket
	Traits       Traits // with bounds that fit those of the mount's other transports
	Acceptor     Acceptor
	Checks       transport.Checks // they are valid
	Book         *notice.Book
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error) // may be nil

	// What is the same for all mounts of an endpoint.
	Root          http.Handler
	Ending        <-chan struct{} // closed when no more connections are accepted
	PubSub        *pubsub.PubSub
	Secret        []byte
	ClientAddress func(*http.Request) string // may be nil
	MaxPostBytes  int                        // 0 is the default
	MaxClosing    int                        // closed connections whose clients have not gone
	NoEpoll       bool
	// Arrived is for a request that did not come through Root, which does the same: it gives the
	// request the address that counts for its client.
	Arrived func(*http.Request) *http.Request
	// Shared returns the server of a key, which make makes when there is none.
	Shared func(key any, make func() Server) Server
}

// A Server owns what the mounts of a transport share at one endpoint: connections, and their
// goroutines. Its methods may be called from any goroutine.
type Server interface {
	// Drained waits until none of the connections that the endpoint has closed is left, apart from
	// those that only Close ends, or for ctx and returns its cause.
	Drained(ctx context.Context) error
	// Close makes the server refuse new connections, and closes all that are open with code. It
	// does not wait. Calling it again closes nothing more.
	Close(code transport.CloseCode)
	// Abort is Close without a code and without writing what is queued.
	Abort()
	// Wait waits until the server has no connection, no goroutine and no request left, or for ctx
	// and returns its cause.
	Wait(ctx context.Context) error
	// Stats reads the counters.
	Stats() transport.Stats
}
