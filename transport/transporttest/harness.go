package transporttest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Harness describes a transport and its client to the suite.
type Harness struct {
	// New returns the transport with these limits. It is called once for each Harness and mounted
	// once.
	New func(o *transport.LinkOptions) transport.Transport
	// Dial connects a client, and returns when the server has accepted it. If the server refuses it,
	// the error is a *Refused. Any other error means that no server could be reached. The checks cut
	// the client at their end. Dial may be called by several goroutines at once.
	Dial func(t testing.TB, to Target) (Client, error)
	// Silent connects a client that makes no handshake. The checks "handshake/..." need it; it is
	// nil if the transport has no listener of its own.
	Silent func(t testing.TB) (net.Conn, error)

	// HTTP says that clients connect by HTTP requests below the path of the mount. The suite then
	// serves the endpoint, over TLS if TLS is a configuration for a server.
	HTTP bool
	TLS  *tls.Config
	// NoEpoll is EndpointOptions.NoEpoll.
	NoEpoll bool
	// Binary says that clients can receive binary messages. All clients can send them.
	Binary bool
	// CloseCodes says that clients receive the code that a connection is closed with.
	CloseCodes bool
	// Orderly says that the server can tell a client that closes from one that is lost.
	Orderly bool
	// Stalls says that the server cannot write more than a bounded number of bytes to a client that
	// is stalled.
	Stalls bool
	// Except has the checks that are not for this transport, each with the reason. The package
	// comment lists their names. A name that no check has fails all checks.
	Except map[string]string
}

// Target says where and how a client connects.
type Target struct {
	// URL is the URL of the server, such as "http://127.0.0.1:4000"; empty without HTTP.
	URL string
	// Handler is the endpoint, for clients within the process.
	Handler http.Handler
	// Path is the path of the mount, such as "/suite/blue", to which clients add that of the
	// transport. Clients that do not connect by HTTP need none of URL, Handler and Path.
	Path string
	// RawQuery is the query of the URL, without the question mark.
	RawQuery string
	// Header is the header of the request, never nil. Without HTTP only X-Phoenix-Authtoken counts:
	// an auth token, which a client sends where its transport has one. If it has no place for one
	// beside the parameters, except the check "open/token".
	Header http.Header
	// First, if not nil, is a text message that the client sends together with its handshake, or
	// right after it.
	First []byte
}

// Client is the client's side of a connection. One goroutine at a time calls Receive, and one Send;
// the others may be called at the same time. After the end of the connection, methods may be called
// still.
type Client interface {
	// Send sends one message of wire.Text or wire.Binary, and may wait until the network takes it. It
	// returns an error if the connection has ended.
	Send(op wire.Opcode, data []byte) error
	// Receive waits for a message. After the end of the connection, or of ctx, it returns an error;
	// messages that came before the end are returned first. It may end the connection when ctx ends.
	Receive(ctx context.Context) (op wire.Opcode, data []byte, err error)
	// Close closes the client's side in order, and does not wait. What the server still sends may be
	// received or dropped. It is also called when the server has closed its side.
	Close()
	// Cut ends the connection at once and without a close, as a failing network does, and makes Send
	// and Receive return. Over TCP, close the connection after SetLinger(0). It may be called again.
	Cut()
	// Stall makes the client stop reading from the network, or read again. It does nothing in a
	// client that reads in Receive alone.
	Stall(on bool)
	// Code returns the close code that the client received, and whether it did. It is called after
	// Receive has returned an error.
	Code() (code transport.CloseCode, ok bool)
}

// HalfCloser is a Client that can close its side alone, and still receive.
type HalfCloser interface{ CloseWrite() error }

// Cutter is a Client that can be cut within a message: CutWithin sends a part of the message, and
// then does what Cut does.
type Cutter interface {
	CutWithin(op wire.Opcode, data []byte) error
}

// Subprotocoler is a Client that knows the subprotocol in the server's answer.
type Subprotocoler interface{ Subprotocol() string }

// Refused is the error of Dial for a client that the server refuses.
type Refused struct {
	// Status is the HTTP status, or 0 if the transport does not tell the client.
	Status int
	Header http.Header
}

func (r *Refused) Error() string {
	return fmt.Sprintf("transporttest: refused with status %d", r.Status)
}
