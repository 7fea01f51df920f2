package client

import (
	"errors"
	"fmt"
)

// Errors of sockets, channels and pushes, to be matched with errors.Is. An error that has a cause
// wraps one of these and the cause.
var (
	// ErrClosed: the socket was closed with Socket.Close.
	ErrClosed = errors.New("client: socket is closed")
	// ErrLeft: the channel was left, with Channel.Leave or because another channel of the
	// socket joined the same topic.
	ErrLeft = errors.New("client: channel was left")
	// ErrEnded: the server closed the channel with phx_close. It does not join again.
	ErrEnded = errors.New("client: the server closed the channel")
	// ErrTimeout: no answer came within Options.Timeout. An answer that comes later is ignored.
	ErrTimeout = errors.New("client: no reply in time")
	// ErrInterrupted: the channel went down before the reply to a push came. The cause is
	// wrapped. The server may or may not have handled the push.
	ErrInterrupted = errors.New("client: interrupted before the reply")
	// ErrDisconnected: the channel went down with its connection. The cause is wrapped: a
	// *CloseError, ErrHeartbeat, ErrProtocol, or the error of the network. The channel joins again
	// when the socket is connected.
	ErrDisconnected = errors.New("client: disconnected")
	// ErrCrashed: the server reported that the channel crashed. It joins again.
	ErrCrashed = errors.New("client: the channel crashed")
	// ErrPanic: a callback, or a function of Options, panicked or called runtime.Goexit.
	// The panic is logged. If its value is an error, it is wrapped.
	ErrPanic = errors.New("client: a callback panicked")
	// ErrSlow: more messages waited for the callbacks of a channel, or for an iterator, than
	// Options.MaxQueued and Options.MaxQueuedBytes allow.
	ErrSlow = errors.New("client: messages arrive faster than they are handled")
	// ErrBufferFull: as many messages wait to be sent as Options.MaxBuffered and
	// Options.MaxBufferedBytes allow. The message is dropped.
	ErrBufferFull = errors.New("client: too many messages wait to be sent")
	// ErrHeartbeat: the server did not answer a heartbeat in time.
	ErrHeartbeat = errors.New("client: no answer to a heartbeat")
	// ErrProtocol: the server sent a message that the protocol does not allow, or one longer
	// than Options.MaxMessage. The socket closes the connection and connects again.
	ErrProtocol = errors.New("client: the server broke the protocol")
)

// Errors of mistakes in the program, which it does not have to tell apart.
var (
	errNotJoined    = errors.New("client: join the channel before pushing to it")
	errJoined       = errors.New("client: Join was called before: make another channel with Socket.Channel")
	errNotConnected = errors.New("client: socket is not open")
)

// caused is one of the errors above, with its cause.
type caused struct{ kind, cause error }

// Error implements error.
func (e *caused) Error() string { return fmt.Sprintf("%v: %v", e.kind, e.cause) }

// Unwrap returns both.
func (e *caused) Unwrap() []error { return []error{e.kind, e.cause} }

// isLost reports whether a channel went down with its connection. It does not use errors.As: an error
// of the program may wrap the error of another channel.
func isLost(err error) bool {
	e, ok := err.(*caused)
	return ok && e.kind == ErrDisconnected
}

func protocolError(cause error) error { return &caused{ErrProtocol, cause} }

// crashed is ErrCrashed with the reason that the server gives, such as "channel_crash".
func crashed(reason string) error {
	if reason == "" {
		return ErrCrashed
	}
	return fmt.Errorf("%w: %s", ErrCrashed, clip(reason))
}

// A ReplyError is a reply with a status other than "ok". Its text has the status, and of the
// response only the strings "reason" and "field", each up to 200 bytes. bennu sends a field with
// the reason "invalid payload".
type ReplyError struct {
	Status   string
	Reason   string // the member "reason" of the response, if it is a string
	Response Payload
}

// Error implements error.
func (e *ReplyError) Error() string {
	text := fmt.Sprintf("client: the server replied with status %q", clip(e.Status))
	if e.Reason != "" {
		text += ": " + clip(e.Reason)
	}
	if _, field := told(e.Response); field != "" {
		text += fmt.Sprintf(" (field %q)", clip(field))
	}
	return text
}

// A CloseError reports that a connection was closed. Code is the close code of the WebSocket. For
// long polling it is the code that phoenix.js uses: 3410 if the session has expired, 1008 if it
// was refused, 1011 for an unexpected status, and 1005 if no answer came within PollTimeout.
type CloseError struct {
	Code   int
	Reason string
}

// Error implements error.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("client: connection closed with code %d", e.Code)
	}
	return fmt.Sprintf("client: connection closed with code %d: %s", e.Code, clip(e.Reason))
}

// A RefusedError reports that the server did not accept a connection. The socket tries again, since
// the next parameters or the next server may be accepted.
type RefusedError struct {
	Status int // of HTTP; with long polling, the status in the body of the answer
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("client: the server refused the connection with status %d", e.Status)
}

// maxQuoted bounds a text of the server in an error, in bytes.
const maxQuoted = 200

// clip cuts a text of the server to maxQuoted.
func clip(s string) string {
	if len(s) > maxQuoted {
		return s[:maxQuoted] + "..."
	}
	return s
}
