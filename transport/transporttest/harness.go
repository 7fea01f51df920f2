package transporttest

import (
	"context"
	"crypto/tls"
	"fmt"
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
	// Dial connects a client. If the server refuses it, the error is a *Refused. Any other error
	// means that no server could be reached.
	Dial func(t testing.TB, to Target) (Client, error)

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
	// Except has the checks that are not for this transport, by name, each with the reason.
	Except map[string]string
}

// Target says where and how a client connects.
type Target struct {
	// URL is the URL of the server, such as "http://127.0.0.1:4000"; empty without HTTP.
	URL string
	// Handler is the endpoint, for clients within the process.
	Handler http.Handler
	// Path is the path of the mount, such as "/suite/blue", to which clients add that of the
	// transport.
	Path string
	// RawQuery is the query of the URL, without the question mark.
	RawQuery string
	// Header is the header of the request. X-Phoenix-AuthToken is an auth token, which a client
	// sends where its transport has it.
	Header http.Header
	// First, if not nil, is a text message that the client sends together with its handshake, or
	// right after it.
	First []byte
}

// Client is the client's side of a connection. One goroutine at a time calls Receive, and one Send;
// the others may be called at the same time.
type Client interface {
	// Send sends one message.
	Send(op wire.Opcode, data []byte) error
	// Receive waits for a message. After the end of the connection, or of ctx, it returns an error.
	Receive(ctx context.Context) (op wire.Opcode, data []byte, err error)
	// Close closes the connection in order.
	Close()
	// Cut ends the connection without a close, as a failing network does.
	Cut()
	// Stall makes the client stop reading from the network, or read again.
	Stall(on bool)
	// Code returns the close code that the client received, if it did.
	Code() (code transport.CloseCode, ok bool)
}

// HalfCloser is a Client that can close its side alone, and still receive.
type HalfCloser interface{ CloseWrite() error }

// Cutter is a Client that can be cut within a message, of which it sends only a part.
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
