// Package seam is what sockets and the transports of this module see of each other. A transport
// implements Conn and drives a Receiver; it knows nothing of topics or JSON. The socket knows
// nothing of how frames travel.
//
// It is not for programs: its interfaces are called under locks, in an order that only prose
// keeps. Package transport has a seam for transports of others.
package seam

import (
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Conn is a connection as its socket sees it. All methods may be called from
// any goroutine, also under a lock: they never block and never call back.
type Conn interface {
	// Send queues a frame. It reports false when the connection takes no more:
	// it is closing, or this frame would pass the bound of the queue, in which
	// case the connection is closed as a slow consumer.
	Send(f transport.Frame) bool
	// Close writes what is queued, then the close code, and ends the connection.
	// Only the first call has an effect.
	Close(code transport.CloseCode)
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
	// An error that is transport.ErrRefused answers 403 with an empty body;
	// transport.ErrBusy 503; any other error is a reason for the mount's error handler.
	Accept(info *transport.ConnectInfo) (Receiver, error)
}

// Wrap has the receivers of all connections that a SocketHandler accepts wrapped, for the suite
// that tests transports. It is called before the handler is mounted. Package bennu sets it.
var Wrap func(handler any, wrap func(Receiver) Receiver)
