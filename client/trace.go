package client

import (
	"time"

	"github.com/bennu-go/bennu/wire"
)

// A Trace has functions that watch a socket, as net/http/httptrace has for requests. Any of
// them may be nil.
//
// Except for State, they run on the goroutines that read and write, with no lock held: a
// function that blocks stops the connection, and must not wait for a reply. A panic in one is
// logged and otherwise ignored.
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
	// a time. While more than 1,000 changes wait for it, further ones are lost.
	State func(ch *Channel, state State, err error)
}

// Attempt is an attempt to connect.
type Attempt struct {
	URL       string // without the query, which has the parameters
	Transport string // "websocket" or "longpoll"
	Try       int    // since the last connection that worked; the first is 1
}

// Closed is the end of a connection, or of an attempt to connect.
type Closed struct {
	Transport string
	WasOpen   bool // false if the attempt failed
	// Err is a *CloseError, a *RefusedError, ErrClosed, ErrHeartbeat, ErrTimeout,
	// ErrProtocol, or the error of the network or of a function of Options.
	Err   error
	Retry bool          // whether the socket tries again
	After time.Duration // the delay before it does
}

// Frame is one frame of a connection. Its contents are valid during the call, and must not be
// changed.
type Frame struct {
	Transport string
	Opcode    wire.Opcode
	// Data is the frame without its framing: of long polling, one element of a batch,
	// decoded. It may hold secrets.
	Data []byte
	// Message is the message in Data, nil if it cannot be decoded. The payload of a phx_reply
	// is an object with status and response, or in a binary frame the response alone.
	Message *wire.Message
	Status  string // of a phx_reply
	Err     error  // why Data cannot be decoded
}
