package client

import (
	"time"

	"github.com/bennu-go/bennu/wire"
)

// A Trace has functions that are called for the events of a socket, as in net/http/httptrace. Any of
// them may be nil.
//
// Except for State, they run on the goroutines that read and write, with no lock held. A function
// that blocks stops the connection, so it must not wait for a reply. A panic in one is logged and
// otherwise ignored.
type Trace struct {
	// Connecting is called when an attempt to connect begins, and Open when it has succeeded.
	Connecting func(Attempt)
	Open       func(Attempt)
	// Closed is called when an attempt has failed or an open connection has ended.
	Closed func(Closed)
	// Sent and Received are called for each frame, in the order of the frames.
	Sent     func(Frame)
	Received func(Frame)
	// State is called when a channel has changed its state; err is the reason, if there is
	// one. It has a goroutine of its own, and gets the changes of all channels in order, one at
	// a time. While 1,000 changes wait for it, further ones are dropped.
	State func(ch *Channel, state State, err error)
}

// Attempt is an attempt to connect.
type Attempt struct {
	URL       string // without user and query, which may hold secrets
	Transport string // "websocket" or "longpoll"
	Try       int    // as Options.ReconnectAfter counts; a fallback has the same number
}

// Closed is the end of a connection, or of an attempt to connect.
type Closed struct {
	Transport string
	WasOpen   bool // false if the attempt failed
	// Err is a *CloseError, a *RefusedError, ErrClosed, ErrHeartbeat, ErrTimeout,
	// ErrProtocol, or the error of the network or of a function of Options. Match it with
	// errors.As and errors.Is.
	Err   error
	Retry bool          // the socket tries again
	After time.Duration // the delay before it does; 0 for a fallback
}

// Frame is one message as it travels. Its contents are valid during the call, and must not be
// changed.
type Frame struct {
	Transport string
	Opcode    wire.Opcode
	// Data is the payload of a WebSocket message, or one message of a long-poll batch, decoded
	// from base64 if it was sent so. It may hold secrets.
	Data []byte
	// Message is the message in Data, nil if it cannot be decoded. The payload of a phx_reply
	// is an object with status and response, or in a binary frame the response alone.
	Message *wire.Message
	Status  string // of a phx_reply
	Err     error  // why Data cannot be decoded
}
