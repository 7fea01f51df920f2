// Package seam is the interface between sockets and the transports of this module. A transport
// implements Conn and calls a Receiver; it knows nothing of topics or JSON. The socket implements
// Receiver and knows nothing of how frames travel.
//
// It is not for programs: its interfaces are called under locks, in an order that only comments
// describe. Package transport has an interface for transports of programs.
package seam

import (
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Conn is the interface of a connection to its socket. All methods may be called from any
// goroutine, also under the locks of the socket and its channels: they never block and never call
// back.
type Conn interface {
	// Send queues a frame. It reports false when the connection takes no more frames, because it is
	// closing, or because the frame does not fit the queue: then the connection is closed as a slow
	// consumer.
	Send(f transport.Frame) bool
	// Close writes the queue and then the close code, and ends the connection. Only the first call
	// has an effect.
	Close(code transport.CloseCode)
}

// Receiver is the interface of a socket to its connection. The connection calls the methods one at
// a time: Opened once, then Receive any number of times, then Closed once.
type Receiver interface {
	// Opened gets the connection, before any message is read.
	Opened(c Conn)
	// Receive gets one whole message, and owns data from then on. It does not block: other
	// connections may wait for it to return. If resume is not nil, the connection must not call
	// Receive again before resume is closed.
	Receive(op wire.Opcode, data []byte) (resume <-chan struct{})
	// Closed gets the reason why the connection has ended. Nothing is received after it.
	Closed(reason error)
}

// Acceptor decides whether to accept new connections.
type Acceptor interface {
	// Accept makes the checks that are not the transport's own: limits, protocol version, Connect
	// and ID. info is valid only during the call. If the handshake fails later, the Receiver is
	// dropped without a call of Opened.
	//
	// For refused.ErrRefused the answer is 403 with an empty body, for transport.ErrBusy 503; any
	// other error goes to the mount's ErrorHandler.
	Accept(info *transport.ConnectInfo) (Receiver, error)
}
