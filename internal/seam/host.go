package seam

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// A Mounter is a transport as Endpoint.Socket mounts it. The transports of this module implement
// it; package link makes one of any other transport.
type Mounter interface {
	// Traits returns the facts that the endpoint needs before it mounts the transport.
	Traits() Traits
	// MountSeam prepares one mount. An error is a mistake of the program. Nodes that serve each
	// other's connections must mount in the same order.
	MountSeam(h *Host) ([]Route, error)
}

// Traits are what an endpoint must know of a transport before it mounts it.
type Traits struct {
	// Path is the path below that of the socket, if the program has set it. Otherwise it is empty,
	// and DefaultPath is used. If the transport serves no path, or only MountSeam knows it, both are
	// empty.
	Path, DefaultPath string
	Manner            Manner
	// TextOnly says that its clients cannot receive binary frames.
	TextOnly bool
	Bounds   Bounds
	// OwnBounds says that Bounds are defaults and each connection has its own; see ability.Bounded.
	OwnBounds bool
	// AcceptorPanic is the notice for a panic of Connect.
	AcceptorPanic notice.Kind
}

// A Route is a path below that of the socket, and its handler.
type Route struct {
	Path    string // empty if the transport serves no HTTP requests
	Handler Handler
}

// A Handler serves the requests of one path. Its methods may be called from any goroutine.
type Handler interface {
	// Serve answers a request. vars are the variables of the mount's path. The ResponseWriter is
	// that of the http.Server, or of middleware in front.
	Serve(w http.ResponseWriter, r *http.Request, vars map[string]string)
	// Limits returns the effective limits of the mount for the log, which masks values whose names
	// contain "token" or "session".
	Limits() []slog.Attr
	// Begins reports whether a request asks for a new connection, and is not about one that
	// exists.
	Begins(r *http.Request) bool
}

// A Host is one mount of one transport. It has the parts of the endpoint that the transport may use. It
// does not change.
type Host struct {
	Name         string // of the transport
	Path         string // of the socket, the argument of Endpoint.Socket
	Traits       Traits // its bounds fit those of the mount's other transports
	Acceptor     Acceptor
	Checks       transport.Checks // validated
	Book         *notice.Book
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error) // may be nil

	// These are the same for all mounts of an endpoint.
	Root          http.Handler    // the endpoint
	Ending        <-chan struct{} // closed when no more connections are accepted
	PubSub        *pubsub.PubSub
	Secret        []byte
	ClientAddress func(*http.Request) string // may be nil
	MaxPostBytes  int                        // NodeLimits.PostBytes; 0 is the default
	MaxClosing    int                        // bound of closed connections whose clients have not closed theirs
	NoEpoll       bool
	// Arrived must be called for a request that did not come through Root. It does what Root does
	// at first: it logs the limits once, and returns the request with the address that counts for
	// its client.
	Arrived func(*http.Request) *http.Request
	// Shared returns the server of a key. If there is none, newServer makes it.
	Shared func(key any, newServer func() Server) Server
}

// A Server owns the connections, and their goroutines, of all mounts of a transport at one endpoint. Its methods may be called from any goroutine.
type Server interface {
	// Drained waits until all connections that the endpoint has closed have ended. It does not wait
	// for requests that only Close ends, such as polls. If ctx ends first, it returns its cause.
	Drained(ctx context.Context) error
	// Close makes the server refuse new connections, and closes all open ones with code. It does
	// not wait. Further calls do nothing.
	Close(code transport.CloseCode)
	// Abort is Close without a close code, and without writing the queues.
	Abort()
	// Wait waits until the server has no connection, no goroutine and no request left. If ctx ends
	// first, it returns its cause.
	Wait(ctx context.Context) error
	// Stats returns the counters.
	Stats() transport.Stats
}
