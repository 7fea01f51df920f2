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

// Harness is a transport with its client.
type Harness struct {
	// New makes the transport with these limits, for one mount. It is called once.
	New func(o *transport.LinkOptions) transport.Transport
	// Dial connects a client. When the server refuses it, the error is a *Refused. Any other
	// error means that there is nothing to connect to.
	Dial func(t testing.TB, to Target) (Client, error)

	// HTTP: clients connect to the endpoint, by HTTP requests below the path of the mount. The
	// suite serves the endpoint then, over TLS if a configuration for a server is given.
	HTTP bool
	TLS  *tls.Config
	// NoEpoll is EndpointOptions.NoEpoll.
	NoEpoll bool
	// Binary: clients can get binary messages. All can send them.
	Binary bool
	// CloseCodes: clients get the code that a connection is closed with.
	CloseCodes bool
	// Orderly: a client that closes can be told from one that is lost.
	Orderly bool
	// Stalls: a client that is stalled holds up its connection at the server in the end.
	Stalls bool
	// Except has checks that are not for this transport, by name, each with the reason.
	Except map[string]string
}

// Target is where and how to connect.
type Target struct {
	// URL is that of the server, such as "http://127.0.0.1:4000"; empty without HTTP.
	URL string
	// Handler is the endpoint, for clients within the process.
	Handler http.Handler
	// Path is that of the mount, such as "/suite/blue", to which clients add a segment of the
	// transport's.
	Path string
	// RawQuery are the parameters as they stand in a URL.
	RawQuery string
	// Header is that of the request. X-Phoenix-AuthToken is an auth token, which a client gives
	// where its transport has it.
	Header http.Header
	// First, if not nil, is a text message that the client sends together with its handshake, or
	// right after it.
	First []byte
}

// Client is the client's side of a connection. Receive is called by one goroutine at a time, and
// Send by one; the others may be called beside them.
type Client interface {
	// Send sends one message.
	Send(op wire.Opcode, data []byte) error
	// Receive waits for a message. After the end of the connection it returns an error.
	Receive(ctx context.Context) (op wire.Opcode, data []byte, err error)
	// Close closes the connection in order.
	Close()
	// Cut breaks it off, as a network does.
	Cut()
	// Stall makes the client take nothing from the network any more, or again.
	Stall(on bool)
	// Code is the close code that came, if one has.
	Code() (code transport.CloseCode, ok bool)
}

// HalfCloser is a Client that can close its side alone, and still receive.
type HalfCloser interface{ CloseWrite() error }

// Cutter is a Client that can be cut within a message: it sends only a part of one.
type Cutter interface {
	CutWithin(op wire.Opcode, data []byte) error
}

// Subprotocoler is a Client that knows the subprotocol that the server has echoed.
type Subprotocoler interface{ Subprotocol() string }

// Refused is a refusal of the server.
type Refused struct {
	// Status is that of HTTP, or 0 where the transport does not tell the client.
	Status int
	Header http.Header
}

func (r *Refused) Error() string {
	return fmt.Sprintf("transporttest: refused with status %d", r.Status)
}
