package client

import (
	"errors"
	"fmt"

	"github.com/bennu-go/bennu/internal/redact"
)

// Errors of sockets, channels and pushes, for errors.Is. An error that has a cause wraps both.
var (
	// ErrClosed: the socket was closed with Socket.Close.
	ErrClosed = errors.New("client: socket is closed")
	// ErrLeft: the channel was left, with Channel.Leave or because another channel of the
	// socket joined the same topic.
	ErrLeft = errors.New("client: channel was left")
	// ErrEnded: the server closed the channel in good order. It does not join again.
	ErrEnded = errors.New("client: the server closed the channel")
	// ErrTimeout: no answer came within Options.Timeout. A later one is ignored.
	ErrTimeout = errors.New("client: no reply in time")
	// ErrInterrupted: the channel went down before the reply to a push came. The cause is
	// wrapped. Whether the server handled the push is unknown.
	ErrInterrupted = errors.New("client: interrupted before the reply")
	// ErrDisconnected: the channel went down with its connection. The cause is wrapped: a
	// *CloseError, ErrHeartbeat, or the error of the network. The channel joins again when the
	// socket is connected.
	ErrDisconnected = errors.New("client: disconnected")
	// ErrCrashed: the server reported that the channel crashed. It joins again.
	ErrCrashed = errors.New("client: the channel crashed")
	// ErrPanic: a callback, or a function of Options, panicked or called runtime.Goexit.
	// The panic is logged; a value that is an error is wrapped.
	ErrPanic = errors.New("client: a callback panicked")
	// ErrSlow: more than Options.MaxQueued messages waited for a callback or an iterator.
	ErrSlow = errors.New("client: messages are not handled as fast as they come")
	// ErrBufferFull: more messages wait to be sent than Options.MaxBuffered and
	// Options.MaxBufferedBytes allow. This one was not accepted.
	ErrBufferFull = errors.New("client: too much is waiting to be sent")
	// ErrHeartbeat: the server did not answer a heartbeat in time.
	ErrHeartbeat = errors.New("client: no answer to a heartbeat")
	// ErrProtocol: the server sent a message that the protocol does not allow. The
	// connection is closed and made anew.
	ErrProtocol = errors.New("client: the server broke the protocol")
)

// Errors that a program does not have to tell apart: mistakes, or the text says all.
var (
	errNotJoined    = errors.New("client: join the channel before pushing to it")
	errJoined       = errors.New("client: a channel is joined once: make another with Socket.Channel")
	errNotConnected = errors.New("client: socket is not open")
)

// caused is one of the errors above, with its cause.
type caused struct{ kind, cause error }

// Error implements error.
func (e *caused) Error() string { return fmt.Sprintf("%v: %v", e.kind, e.cause) }

// Unwrap returns both.
func (e *caused) Unwrap() []error { return []error{e.kind, e.cause} }

// isLost reports whether a channel went down with its connection.
func isLost(err error) bool {
	e, ok := err.(*caused) // not errors.As: an error of the program may wrap another channel's
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

// A ReplyError is a reply with a status other than "ok". Its text has the status, the reason,
// and the field that bennu names beside "invalid payload"; it has nothing else of the
// response.
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

// A CloseError is a connection that was closed with a code. Long polling has codes of its
// own: 3410 if the session has expired, 1011 for an answer that makes no sense, and 1005 for
// an answer that does not come.
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

// A RefusedError is the answer of a server that does not accept a connection. The socket tries
// again nevertheless.
type RefusedError struct {
	Status int // of HTTP; for long polling, of the answer's body
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("client: the server refused the connection with status %d", e.Status)
}

// A panicError is a function of the program that panicked, or that called runtime.Goexit, in
// which case value is nil.
type panicError struct{ value any }

// Error implements error.
func (e *panicError) Error() string {
	if e.value == nil {
		return "client: a callback called runtime.Goexit"
	}
	return ErrPanic.Error() + ": " + redact.Print(e.value)
}

// Unwrap returns ErrPanic, and the value if it is an error.
func (e *panicError) Unwrap() []error {
	if err, ok := e.value.(error); ok {
		return []error{ErrPanic, err}
	}
	return []error{ErrPanic}
}

// maxQuoted bounds what an error shows of a text from the server, in bytes.
const maxQuoted = 200

// clip shortens a text from the server.
func clip(s string) string {
	if len(s) > maxQuoted {
		return s[:maxQuoted] + "..."
	}
	return s
}
