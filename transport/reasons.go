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

// Errors of Connect, which Mount.Accept returns.
var (
	// ErrRefused refuses a connection without giving a reason.
	ErrRefused = errors.New("bennu: connection refused")
	// ErrBusy refuses a connection because the server takes none at the moment.
	ErrBusy = errors.New("bennu: server takes no connections at present")
	// ErrPanic refuses a connection because Connect panicked. It is also the reason of a connection
	// that ended because a method of its Link panicked. The panic is logged.
	ErrPanic = errors.New("bennu: ended by a panic, which is logged")
)

// Reasons for the end of a connection, which Session.Serve returns.
var (
	ErrClientClosed = errors.New("bennu: closed by the client")
	ErrLost         = errors.New("bennu: connection lost")
	ErrIdle         = errors.New("bennu: nothing received within the idle timeout")
	ErrSlowConsumer = errors.New("bennu: client reads too slowly")
)

// ClosedError is the reason of a connection that the server closed with a code: for what the client
// sent, or because the application asked for it.
type ClosedError struct{ Code CloseCode }

func (e *ClosedError) Error() string { return fmt.Sprintf("bennu: connection closed with %d", e.Code) }
