package client

import (
	"time"

	"github.com/bennu-go/bennu/wire"
)

// A Trace has functions that watch a socket, in the manner of net/http/httptrace.
// Those that are nil are not called.
//
// They run on the goroutines that do the work, no lock held: one that does not return
// stops the connection, and none may wait for a reply. State is the exception; it has
// a goroutine of its own. A panic in one is logged and otherwise ignored.
type Trace struct {
	// Connecting: an attempt to connect begins.
	Connecting func(Attempt)
	// Open: an attempt succeeded.
	Open func(Attempt)
	// Closed: an attempt failed, or an open connection ended.
	Closed func(Closed)
	// Sent: a frame goes out. Frames of one connection come in order.
	Sent func(Frame)
	// Received: a frame came in. Frames of one connection come in order.
	Received func(Frame)
	// State: a channel changed its state, for the reason err if there is one.
	// Changes of all channels come in order, one at a time. When more than a
	// thousand wait for the function to return, further ones are lost.
	State func(ch *Channel, state State, err error)
}

// Attempt is one attempt to connect.
type Attempt struct {
	URL       string // without the query, which has the parameters
	Transport Transport
	Try       int // since the last connection that worked; the first is 1
}

// Closed is the end of a connection or of an attempt to make one.
type Closed struct {
	Transport Transport
	WasOpen   bool          // false when the attempt failed
	Err       error         // *CloseError, *ConnectError, ErrHeartbeat, *ProtocolError, ErrClosed, ...
	Retry     bool          // whether the socket tries again
	After     time.Duration // and in how long
}

// Frame is one frame on a connection. Its contents are valid during the call and
// must not be changed.
type Frame struct {
	Transport Transport
	Opcode    wire.Opcode
	// Data is what the frame carries, for long polling what the element of
	// the batch stands for. It may hold secrets.
	Data []byte
	// Message is what Data stands for; nil when it could not be decoded. The payload of
	// a phx_reply in a binary frame is the response alone.
	Message *wire.Message
	// Status is that of a phx_reply.
	Status string
	// Err is why Data could not be decoded.
	Err error
}
