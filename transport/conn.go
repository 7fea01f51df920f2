package transport

import (
	"errors"
	"fmt"

	"github.com/bennu-go/bennu/wire"
)

// CloseCode is a WebSocket close code. Other transports end without one.
type CloseCode uint16

// The close codes that a server sends. After CloseNormal a stock client does
// not connect again, so it is only ever the answer to a client's own close.
const (
	CloseNormal        CloseCode = 1000
	CloseGoingAway     CloseCode = 1001 // disconnected by socket id
	CloseProtocolError CloseCode = 1002 // also: idle for too long
	CloseInvalidData   CloseCode = 1007
	ClosePolicy        CloseCode = 1008
	CloseTooBig        CloseCode = 1009
	CloseInternalError CloseCode = 1011 // a frame that does not decode, or a failure of the server
	CloseRestart       CloseCode = 1012 // drained at shutdown
	CloseTryAgainLater CloseCode = 1013 // slow consumer
)

// Conn is a connection as its socket sees it. All methods may be called from
// any goroutine, also under a lock: they never block and never call back.
type Conn interface {
	// Send queues a frame. It reports false when the connection takes no more:
	// it is closing, or this frame would pass the bound of the queue, in which
	// case the connection is closed as a slow consumer.
	Send(f Frame) bool
	// Close writes what is queued, then the close code, and ends the connection.
	// Only the first call has an effect.
	Close(code CloseCode)
}

// Receiver is a socket as its connection sees it. The connection calls the
// methods one at a time: Opened first, then Receive any number of times, then
// Closed once.
type Receiver interface {
	// Opened hands over the connection, before any message is read.
	Opened(c Conn)
	// Receive takes one whole message and owns data. It does not block: other
	// connections may wait for it to return. When the result is not nil, the
	// connection must not call Receive again before that channel is closed.
	Receive(op wire.Opcode, data []byte) (resume <-chan struct{})
	// Closed says that the connection is gone, and why. Nothing is
	// received after it.
	Closed(reason error)
}

// Acceptor decides over new connections.
type Acceptor interface {
	// Accept runs the checks that are not the transport's own: protocol
	// version, the application's connect and id. The info is valid only during
	// the call. The Receiver it returns is dropped without Opened when the
	// handshake fails later.
	//
	// An error that is ErrRefused answers 403 with an empty body; ErrBusy 503;
	// any other error is a reason for the transport's error handler.
	Accept(info *ConnectInfo) (Receiver, error)
}

// Answers of an Acceptor.
var (
	// ErrRefused refuses a connection without giving a reason.
	ErrRefused = errors.New("bennu: connection refused")
	// ErrBusy refuses a connection because the server takes none at present.
	ErrBusy = errors.New("bennu: server takes no connections at present")
)

// Reasons a connection ended, given to Receiver.Closed.
var (
	ErrClientClosed = errors.New("bennu: closed by the client")
	ErrLost         = errors.New("bennu: connection lost")
	ErrIdle         = errors.New("bennu: nothing received within the idle timeout")
	ErrSlowConsumer = errors.New("bennu: client reads too slowly")
)

// ClosedError is the reason of a connection that the server closed with a
// code, for what the client sent or because Conn.Close was called.
type ClosedError struct{ Code CloseCode }

func (e *ClosedError) Error() string { return fmt.Sprintf("bennu: connection closed with %d", e.Code) }
