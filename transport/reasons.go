package transport

import (
	"errors"
	"fmt"
)

// CloseCode is a WebSocket close code. Link.Close gets one in any case; a transport that cannot
// send it only ends the connection.
type CloseCode uint16

// The close codes that a server sends. After CloseNormal a stock client does not connect again, so
// bennu sends it only in answer to a close of the client, or for a Disconnect with this code.
const (
	CloseNormal        CloseCode = 1000
	CloseGoingAway     CloseCode = 1001 // disconnected by the program
	CloseProtocolError CloseCode = 1002 // also: idle for too long
	CloseInvalidData   CloseCode = 1007
	ClosePolicy        CloseCode = 1008
	CloseTooBig        CloseCode = 1009
	CloseInternalError CloseCode = 1011 // a frame that does not decode, or a failure of the server
	CloseRestart       CloseCode = 1012 // drained at shutdown
	CloseTryAgainLater CloseCode = 1013 // slow consumer, or too many connections
)

// Errors of Connect, which Mount.Accept returns, beside bennu.ErrRefused.
var (
	// ErrBusy refuses a connection because the server takes none at the moment.
	ErrBusy = errors.New("transport: server takes no connections at present")
	// ErrPanic refuses a connection because Connect panicked. It is also the reason of a connection
	// that ended because a method of its Link panicked. The panic is logged.
	ErrPanic = errors.New("transport: ended by a panic, which is logged")
)

// Reasons for the end of a connection. Session.Serve returns them, and Terminate of its channels gets
// them.
var (
	// ErrClientClosed means that the client closed the connection in good order.
	ErrClientClosed = errors.New("transport: closed by the client")
	// ErrLost means that the connection failed, or ended without a close.
	ErrLost = errors.New("transport: connection lost")
	// ErrIdle means that the client sent nothing for too long.
	ErrIdle = errors.New("transport: nothing received within the idle timeout")
	// ErrSlowConsumer means that too much waited for the client, or that it took nothing.
	ErrSlowConsumer = errors.New("transport: client reads too slowly")
)

// ClosedError is the reason of a connection that the server closed with a code: for what the client
// sent, or because the application asked for it.
type ClosedError struct{ Code CloseCode }

func (e *ClosedError) Error() string {
	return fmt.Sprintf("transport: connection closed with %d", e.Code)
}
