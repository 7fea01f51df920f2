package client

import (
	"errors"
	"fmt"

	"github.com/bennu-go/bennu/internal/redact"
)

// Errors without details.
var (
	// ErrClosed: the socket was closed with [Socket.Close].
	ErrClosed = errors.New("client: socket is closed")
	// ErrLeft: the channel was left, with [Channel.Leave] or because another
	// channel of the socket joined the same topic.
	ErrLeft = errors.New("client: channel was left")
	// ErrEnded: the server closed the channel, and wants no further join.
	ErrEnded = errors.New("client: the server closed the channel")
	// ErrTimeout: no reply came within Options.Timeout. One that comes later
	// is ignored.
	ErrTimeout = errors.New("client: no reply in time")
	// ErrBufferFull: more is waiting to be sent than Options.MaxBuffered or
	// MaxBufferedBytes allow. The message was not taken.
	ErrBufferFull = errors.New("client: too much is waiting to be sent")
	// ErrEvent: the event is empty, longer than 255 bytes, not UTF-8, or one of the
	// protocol's own, phx_leave for instance. The text says which.
	ErrEvent = errors.New("client: the event cannot be sent")
	// ErrNotJoined: Join was not called yet.
	ErrNotJoined = errors.New("client: join the channel before pushing to it")
	// ErrJoined: Join was called before. A channel is joined once.
	ErrJoined = errors.New("client: a channel is joined once: make another with Socket.Channel")
	// ErrNotConnected: the socket is not open at this moment.
	ErrNotConnected = errors.New("client: socket is not open")
	// ErrSlow: messages came faster than they were handled, and more than
	// Options.MaxQueued were waiting.
	ErrSlow = errors.New("client: messages are not handled as fast as they come")
	// ErrHeartbeat: the server did not answer a heartbeat in time.
	ErrHeartbeat = errors.New("client: no answer to a heartbeat")
	// ErrBadReply: the payload of a reply or event does not fit the type that was
	// asked for.
	ErrBadReply = errors.New("client: payload does not fit the type")
)

// eventError says why an event cannot be one. It is an ErrEvent.
type eventError struct{ text string }

// Error implements error.
func (e *eventError) Error() string { return "client: " + e.text }

// Is is for errors.Is.
func (e *eventError) Is(target error) bool { return target == ErrEvent }

// A ReplyError is a reply with another status than "ok". Its text has the status, the
// reason, and the field that bennu names beside "invalid payload", as the server sent
// them, and no more of the response.
type ReplyError struct {
	Status string
	// Reason is the member "reason" of the response when that is a string, else
	// empty.
	Reason   string
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

// A ChannelError is a channel that the server reports as crashed, which it does with
// phx_error. The channel joins again by itself.
type ChannelError struct {
	// Reason is what the server gives, such as "channel_crash", or empty.
	Reason string
}

// Error implements error.
func (e *ChannelError) Error() string {
	if e.Reason == "" {
		return "client: the channel crashed"
	}
	return "client: the channel crashed: " + clip(e.Reason)
}

// Reasons of a [TransportError].
const (
	ReasonClosed    = "connection_closed"
	ReasonError     = "connection_error"
	ReasonHeartbeat = "heartbeat_timeout"
)

// A TransportError is a channel that went down with the connection below it. The
// channel joins again when the socket is open again.
type TransportError struct {
	Reason string // ReasonClosed, ReasonError or ReasonHeartbeat
	Err    error  // why the connection ended: *CloseError, ErrHeartbeat, ...
}

// Error implements error.
func (e *TransportError) Error() string {
	return fmt.Sprintf("client: %s: %v", e.Reason, e.Err)
}

// Unwrap returns Err.
func (e *TransportError) Unwrap() error { return e.Err }

// An InterruptedError ends a push that was sent and not answered before its channel went
// down. Whether the server handled it cannot be known.
type InterruptedError struct {
	Err error // why: *TransportError, *ChannelError, ErrSlow, ...
}

// Error implements error.
func (e *InterruptedError) Error() string {
	return fmt.Sprintf("client: interrupted before the reply: %v", e.Err)
}

// Unwrap returns Err.
func (e *InterruptedError) Unwrap() error { return e.Err }

// A CloseError is a connection that was closed with a code. Long polling has codes of
// its own: 3410 when the session is gone, 1011 for an answer that makes no sense, and 1005
// for one that does not come.
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

// A RefusedError is a server that answered an attempt to connect, but did not accept
// it. The socket tries again all the same.
type RefusedError struct {
	// Status is that of HTTP; for long polling the one in the answer's body.
	Status int
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("client: the server refused the connection with status %d", e.Status)
}

// A ProtocolError is a server that sent something that is no message of the protocol.
// The connection is given up and made anew.
type ProtocolError struct {
	Err error // often wraps wire.ErrMalformed
}

// Error implements error.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("client: the server broke the protocol: %v", e.Err)
}

// Unwrap returns Err.
func (e *ProtocolError) Unwrap() error { return e.Err }

// A ConnectError is an attempt to connect that failed, which happens again and again
// while a server cannot be reached.
type ConnectError struct {
	Transport Transport
	Err       error // *RefusedError, or what the network or a function of Options reported
}

// Error implements error.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("client: connecting by %s: %v", e.Transport, e.Err)
}

// Unwrap returns Err.
func (e *ConnectError) Unwrap() error { return e.Err }

// A PanicError is a callback that panicked, or that ended its goroutine with
// runtime.Goexit, in which case Value is nil. It was logged.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "client: a callback called runtime.Goexit"
	}
	return "client: a callback panicked: " + redact.Print(e.Value)
}

// Unwrap is the panic's value when that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// maxQuoted is how much of a text from the server an error shows, in bytes.
const maxQuoted = 200

// clip shortens a text from the server.
func clip(s string) string {
	if len(s) > maxQuoted {
		return s[:maxQuoted] + "..."
	}
	return s
}
