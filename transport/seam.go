package transport

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// A Transport carries connections of one kind. Endpoint.Socket calls Mount once for each mount that
// lists it; several mounts may list one value.
type Transport interface {
	// Name returns the name for Socket.Transport, ConnectInfo.Transport, Stats and metrics: 1 to 32
	// of a-z, 0-9 and '-', unique within a mount.
	Name() string
	// Mount prepares one mount. Endpoint.Socket panics with its error, a mistake of the program.
	Mount(m Mount) error
}

// A Mount is one mount of Endpoint.Socket as its transport sees it. bennu implements it and may add
// methods. Handle and Limits may be called only until Transport.Mount returns; the others may be
// called from any goroutine at any time.
type Mount interface {
	// Handle registers a handler for requests below the mount's path. The transport chooses path,
	// of one or more segments. bennu does not wrap the ResponseWriter, but middleware in front of
	// the endpoint may: use an http.ResponseController to hijack it.
	Handle(path string, h http.Handler)
	// Root returns the endpoint, as handler for an HTTP server of the transport's own, such as one
	// for HTTP/3.
	Root() http.Handler
	// Accept makes the mount's checks and calls Connect, in an order that is the same for all
	// transports. The checks refuse a URL of more than 8 KiB, more than 64 header lines or 16 KiB
	// of header, and a query that is not UTF-8, has more than 64 parameters, or nests a parameter
	// more than 32 deep.
	//
	// r is the request that a handler of this mount got, or one with its context, which has the
	// variables of the path. For a connection that did not come over HTTP, make an http.Request
	// with the parameters in URL.RawQuery, and RemoteAddr; it has no variables of the path. Header
	// may be nil, or have an auth token as X-Phoenix-AuthToken; Checks.TokenParam takes a token
	// that is one of the parameters. TLS, Host, URL.Path and the context are used, too. Refusals
	// are logged and counted. A panic of Connect, or runtime.Goexit, is returned as ErrPanic.
	Accept(r *http.Request) (Session, error)
	// Refuse answers a request for which Accept returned err: with the status of a *StatusError,
	// with 403 and an empty body for bennu.ErrRefused, 503 and a Retry-After of 1 to 5 s for
	// ErrBusy, and 500 for ErrPanic. Otherwise the mount's ErrorHandler answers, or 403. It does
	// not wait for the body of the request. Without HTTP, w may be a ResponseWriter that keeps the
	// status for an answer of the protocol's own; or do not call Refuse, answer, and close.
	Refuse(w http.ResponseWriter, r *http.Request, err error)
	// Go runs f at once in a goroutine that Shutdown waits for: a listener, or one connection. ctx
	// ends when Shutdown begins, and has ended already if Go is called later. Then f must stop
	// listening and end handshakes, but not open connections: bennu closes those.
	Go(f func(ctx context.Context))
	// Logger returns the endpoint's log, which masks secrets and bounds the rate of lines of one
	// message.
	Logger() *slog.Logger
	// Limits adds attributes to the line "limits of a mount", which the endpoint logs when it begins
	// to serve. The transport logs when such a limit is reached; bennu logs those of LinkOptions.
	Limits(attrs ...slog.Attr)
}

// A Session is a connection that was accepted and is not open yet. If it is never served, nothing
// needs to be released.
type Session interface {
	// Subprotocol returns the subprotocol that the handshake must name, or "" for none.
	Subprotocol() string
	// Serve opens the connection. It reads in the caller's goroutine, and returns when the
	// connection is over and Close(0) has returned. It may be called once. The error is the reason
	// of the end: ErrClientClosed, ErrLost, ErrIdle, ErrSlowConsumer, ErrPanic or a *ClosedError.
	// For options out of bounds, or that do not fit each other, Serve only calls Close(0), and logs
	// and returns an error that says what to write.
	Serve(l Link, o *LinkOptions) error
}

// A Link is the connection of one client, from which whole messages are read and to which whole
// frames are written. The package comment says who calls which method when.
type Link interface {
	// Read waits for a message and returns it; data belongs to bennu from then on. The error is
	// io.EOF if the client closed in order. A *ClosedError closes the connection with its code, for
	// what the client sent: 1002, 1007, 1008 or 1009. Any other error means that the connection is
	// lost.
	Read() (op wire.Opcode, data []byte, err error)
	// Write sends all frames, in order, with one system call if it can. The slice and the frames
	// must not be changed or kept. Write must return by the deadline; the zero time means none. An
	// error ends the connection; a timeout, as package net has it, means that the client is too
	// slow.
	Write(frames []Frame, deadline time.Time) error
	// Close sends the client a close code, if the transport can, and says that nothing follows;
	// Read goes on until the client has closed its side. The deadline of the last Write must not
	// hold for Close: bennu calls Close(0) if it takes longer than WriteTimeout. Close(0) ends the
	// connection at once and without a code: a Read, Write or Close that runs must return.
	Close(code CloseCode) error
}

// LinkOptions bound a connection. A nil pointer and the zero value are the defaults, which Serve
// fills in for itself, and logs once as "limits of a link"; bennu.Unlimited switches a limit off.
type LinkOptions struct {
	// MaxMessage bounds the bytes of one message from the client. Read must refuse a longer one
	// before it has read all of it, and takes 1 MiB for 0. Default 1 MiB, or less if the queues of
	// the connection or the mount need it.
	MaxMessage int
	// IdleTimeout is the time without a message after which the connection is closed with 1002.
	// Default 75 s, because browsers run the timers of a hidden page only once a minute.
	IdleTimeout time.Duration
	// WriteTimeout is how long one Write may take for each 256 KiB begun. It also bounds the time
	// in which a closing connection writes its queue; Unlimited leaves 10 s for that. Default 10 s.
	WriteTimeout time.Duration
	// CloseLinger is how long a closed connection waits for the client to close its side. Default 1
	// s; Unlimited is not allowed.
	CloseLinger time.Duration
	// MaxQueueBytes and MaxQueueMessages bound the queue of frames for the client, including those
	// that are being written. A frame that does not fit closes the connection with 1013. While at
	// most an eighth of MaxQueueBytes is in use, a frame of up to MaxQueueBytes always fits.
	// MaxQueueBytes must be at least MaxMessage and 1 KiB, and MaxQueueMessages at least 2. Defaults
	// 4 MiB and 2,048, and more if MaxMessage or other limits of the mount need it.
	MaxQueueBytes, MaxQueueMessages int
}
