package transport

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// Unlimited switches a limit off. It must be written out, because 0 always means the default.
const Unlimited = -1

// A Transport carries connections of one kind. Endpoint.Socket calls Mount once for each
// mount that lists it; one value may be listed in several.
type Transport interface {
	// Name is what Socket.Transport, ConnectInfo.Transport, Stats and metrics call it: 1 to
	// 32 of a-z, 0-9 and '-', once in a mount.
	Name() string
	// Mount prepares one mount. An error is a mistake of the program; Socket panics with it.
	Mount(m Mount) error
}

// A Mount is one path of Endpoint.Socket as a transport sees it. bennu implements it, and
// may add methods. Handle and Limits are for the time of Transport.Mount; the others may be
// called from any goroutine at any time.
type Mount interface {
	// Handle serves HTTP requests below the mount's path, at one or more segments. The
	// ResponseWriter arrives unwrapped: hijack it, control it, upgrade it.
	Handle(path string, h http.Handler)
	// Root is the endpoint, for a server of the transport's own (HTTP/3).
	Root() http.Handler
	// Accept makes the mount's checks and asks Connect, in the order that clients of all
	// transports see. The checks refuse a URL of more than 8 KiB, a header of more than 64
	// lines or 16 KiB, and a query of more than 64 parameters, nested more than 32 deep, or that
	// is not UTF-8.
	//
	// Accept takes the request that a handler of Handle has got, or one with its context, in
	// which the variables of the path are. A request that did not come over HTTP is described by
	// an http.Request: URL.RawQuery, Header, RemoteAddr, TLS and context count;
	// X-Phoenix-AuthToken is the token. A panic of Connect, or runtime.Goexit, is logged and
	// returned as ErrPanic.
	Accept(r *http.Request) (Session, error)
	// Refuse answers a request that Accept refused: the status of a *StatusError, 403 and an
	// empty body for ErrRefused, 503 with Retry-After of 1 to 5 s for ErrBusy, 500 for
	// ErrPanic, otherwise the mount's ErrorHandler or 403. A body that the client goes on to
	// send is not waited for.
	Refuse(w http.ResponseWriter, r *http.Request, err error)
	// Go runs f in a goroutine that Shutdown waits for. ctx ends when the endpoint takes no
	// more connections: stop listening then. Those that are open are closed by bennu.
	Go(f func(ctx context.Context))
	// Logger masks secrets and is bounded by rate.
	Logger() *slog.Logger
	// Limits is what the endpoint logs when it begins to serve.
	Limits(attrs ...slog.Attr)
}

// A Session is a connection that was accepted and is not open yet. One that is never served
// costs nothing and needs no call.
type Session interface {
	// Subprotocol is to be echoed where the transport has such a thing; "" is none.
	Subprotocol() string
	// Serve opens the connection and returns why it ended, when nothing of it runs any more
	// and Close(0) has returned. The caller's goroutine reads. Call it once. The reasons are
	// ErrClientClosed, ErrLost, ErrIdle, ErrSlowConsumer, ErrPanic and *ClosedError. Options that
	// cannot work are an error, and the connection is refused.
	Serve(l Link, o *LinkOptions) error
}

// A Link is a client's connection: whole messages in, whole frames out.
type Link interface {
	// Read waits for a message, which is bennu's afterwards. io.EOF: the client closed in
	// order. *ClosedError: close with this code, for what the client sent (1002, 1007, 1008,
	// 1009). Any other error: the connection is lost.
	Read() (op wire.Opcode, data []byte, err error)
	// Write sends all frames, in order and at best with one call to the system. They and
	// their bytes belong to others: copy, do not change. It must return by the deadline, which
	// is the zero time for none. An error ends the connection; one that is a timeout, as package
	// net has it, is that of a slow client.
	Write(frames []Frame, deadline time.Time) error
	// Close tells the client a code, if the transport can, and that nothing follows; Read may
	// go on until the client has closed its side. With 0 it ends the connection at once, and
	// Read and Write return.
	Close(code CloseCode) error
}

// LinkOptions bound a connection. A nil pointer and the zero value are the defaults; Unlimited
// switches a limit off.
type LinkOptions struct {
	// MaxMessage bounds one message from the client in bytes. Read should refuse a longer one
	// before it is read. Default 1 MiB.
	MaxMessage int
	// IdleTimeout is how long Read may return nothing before the connection is closed with 1002.
	// Default 75 s: browsers run the timers of a hidden page once a minute.
	IdleTimeout time.Duration
	// WriteTimeout is how long one Write may take for each 256 KiB begun. It also bounds how long
	// a closing connection may take to write its queue. Default 10 s.
	WriteTimeout time.Duration
	// CloseLinger is how long a closed connection waits for the client to close its side.
	// Default 1 s; Unlimited is not allowed.
	CloseLinger time.Duration
	// MaxQueueBytes and MaxQueueMessages bound the queue of frames for the client, with those
	// that are being written. A frame that would pass a bound closes the connection with 1013. But while no
	// more than an eighth of MaxQueueBytes waits, a frame of up to MaxQueueBytes is always taken.
	// Defaults 4 MiB and 2,048, and more where limits of the mount ask for it.
	MaxQueueBytes, MaxQueueMessages int
}
