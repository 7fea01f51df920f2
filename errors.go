package bennu

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// Error is an error whose reason is sent to the client: the reply has status "error" and the
// response {"reason": Reason}. Returned from Join it refuses the join. A nil *Error that a callback
// returns as its error counts as nil, and so do nil pointers to the other error types of this
// package and of package transport. A nil pointer of any other type is an error.
type Error struct {
	// Reason is sent to the client.
	Reason string
	// Response, if not nil, is sent in place of {"reason": Reason}. It is any value that encodes to
	// JSON.
	Response any
}

// Error returns the reason. If Response is a Raw with a "field", as package channeltest returns it,
// the field is added.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	if raw, ok := e.Response.(Raw); ok {
		var told struct {
			Field string `json:"field"`
		}
		if json.Unmarshal(raw, &told) == nil && told.Field != "" {
			return fmt.Sprintf("%s (field %q)", e.Reason, told.Field)
		}
	}
	return e.Reason
}

// Errorf returns an Error with a formatted reason.
func Errorf(format string, args ...any) *Error {
	return &Error{Reason: fmt.Sprintf(format, args...)}
}

// Disconnect closes the whole connection when a callback returns it, as a value or a pointer,
// wrapped or not.
type Disconnect struct {
	// Code is the close code. 0 means 1001, going away. Stock clients connect again after every
	// code except 1000. Applications may use 3000 to 4999. A code that may not be sent becomes
	// 1011.
	Code transport.CloseCode
}

func (d Disconnect) Error() string {
	return fmt.Sprintf("bennu: disconnect with code %d", d.code())
}

func (d Disconnect) code() transport.CloseCode {
	switch c := d.Code; {
	case c == 0:
		return transport.CloseGoingAway
	case c >= 3000 && c <= 4999, c >= 1000 && c <= 1003, c >= 1007 && c <= 1014:
		return c
	}
	return transport.CloseInternalError
}

// asDisconnect returns the Disconnect in the error of a callback, if there is one.
func asDisconnect(err error) (Disconnect, bool) {
	if d, ok := errors.AsType[Disconnect](err); ok {
		return d, true
	}
	if d := pointerIn[Disconnect](err); d != nil {
		return *d, true
	}
	return Disconnect{}, false
}

// withoutNil returns the error of a callback, or nil if it is a nil pointer to an error type of
// this module: a function that returns its nil *Error as an error returns a non-nil interface. The
// same holds for an errors.Join of only such pointers. A nil pointer of any other type becomes an
// error without methods of the program. Its meaning is unknown, and it must not count as success.
func withoutNil(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error, *Disconnect, *PanicError, *transport.StatusError, *transport.ClosedError:
		if nils.Is(e) {
			return nil
		}
		return err
	case interface{ Unwrap() []error }:
		if reflect.TypeOf(err) != joinedErrors {
			return err
		}
		var parts []error
		for _, part := range e.Unwrap() {
			parts = append(parts, withoutNil(part))
		}
		return errors.Join(parts...)
	}
	if nils.Is(err) {
		return fmt.Errorf("a nil %T was returned as error; return nil", err)
	}
	return err
}

var joinedErrors = reflect.TypeOf(errors.Join(Stop))

// pointerIn is errors.AsType for a pointer type, but it skips nil pointers.
func pointerIn[T any, P interface {
	*T
	error
}](err error) P {
	p, ok := errors.AsType[P](err)
	if !ok || p != nil {
		return p
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return pointerIn[T, P](e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if p := pointerIn[T, P](part); p != nil {
				return p
			}
		}
	}
	return nil
}

// Errors that a callback returns to end its channel. They may be wrapped, to give Terminate a
// reason: fmt.Errorf("game over: %w", bennu.Stop).
var (
	// Stop sends the reply, if the handler has one, and closes the channel: the client gets
	// phx_close and does not join again by itself. An *Error that is joined with it (errors.Join)
	// is sent as the reply.
	Stop = errors.New("bennu: stop")
	// Crash sends the reply, if the handler has one, and ends the channel as a panic would: the
	// client gets phx_error and joins again.
	Crash = errors.New("bennu: crash")
)

// ErrRefused refuses a connection without a reason when Connect returns it: the client gets 403
// with an empty body, and the mount's ErrorHandler is not called.
var ErrRefused = refused.ErrRefused

// Errors of calls on a channel.
var (
	// ErrNotJoined means that the channel's Join has not returned yet. Call Channel.Send in Join,
	// and push from the handler of that message.
	ErrNotJoined = errors.New("bennu: the channel has not joined yet; in Join, use Send and act in the handler of that message")
	// ErrClosed means that the channel has ended, and its client gets no more messages from it.
	ErrClosed = errors.New("bennu: the channel has ended")
	// ErrMailboxFull means that Limits allow no more messages to wait for the channel.
	ErrMailboxFull = errors.New("bennu: the channel's mailbox is full")
	// ErrNoRef means that the client asked for no reply to this message.
	ErrNoRef = errors.New("bennu: the message has no ref to reply to")
	// ErrTooLarge means that a push, a reply or a broadcast is larger than the queue of a client,
	// an option of its transport such as MaxQueueBytes: nobody gets it. Or a broadcast is larger
	// than the broker between nodes takes: then only the clients of this node get it. If a handler
	// returns it, the client gets the reason "too large".
	ErrTooLarge = pubsub.ErrTooLarge
	// ErrInvalid means that the event, the topic or the payload of a push or a broadcast cannot be
	// sent. The text says which, and why. An event must be UTF-8 of 1 to 255 bytes, and none of the
	// protocol's own, such as phx_close. A topic, or the id of a disconnect, must not be empty, and
	// must not begin with phx: or the byte 0x01, which belong to the library. A payload must be a
	// JSON object, or bytes: clients ignore any other payload silently.
	ErrInvalid = errors.New("bennu: a push or broadcast that cannot be sent")
	// ErrUnknownEvent is what Instance.HandleIn returns for an event without a handler. The channel
	// ends with phx_error.
	ErrUnknownEvent = errors.New("bennu: no handler for this event")
)

// Reasons for the end of a channel. Terminate gets them, and context.Cause returns them for the
// contexts of handlers. Other reasons are:
//
//   - the error that a callback returned, and Stop after Channel.Leave
//   - a *PanicError
//   - ErrMailboxFull, when a broadcast did not fit the mailbox
//   - the error of a message that does not decode, or of a reply that does not encode
//   - ErrExpired and ErrTooFast
//   - of the transport: transport.ErrClientClosed, ErrLost, ErrIdle, ErrSlowConsumer and ErrPanic,
//     and a *transport.ClosedError if it closed the connection with a code
var (
	ErrLeft          = errors.New("bennu: the client left the channel")
	ErrDuplicateJoin = errors.New("bennu: the client joined the topic again")
	ErrDisconnected  = errors.New("bennu: the connection was disconnected by its id") // or by Socket.Disconnect
	ErrDraining      = errors.New("bennu: the server is shutting down")
	ErrJoinTimeout   = errors.New("bennu: join took longer than its limit")
	// ErrGap means that messages of other nodes may have been missed. The client gets phx_error and
	// joins again.
	ErrGap = errors.New("bennu: messages of other nodes may have been missed")
)

// PanicError is the reason of a channel that ended with a panic, or with runtime.Goexit, for which
// Value is nil. Stack is the stack of the panic, cut to 8 KiB.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Value == nil {
		return "bennu: callback called runtime.Goexit"
	}
	// Print writes the names of fields, by which the log finds the secret ones.
	return "bennu: callback panicked: " + redact.Print(e.Value)
}

// Unwrap returns the panic's value if that is an error, or nil.
func (e *PanicError) Unwrap() error {
	if e == nil {
		return nil
	}
	err, _ := e.Value.(error)
	return err
}

// newPanicError returns the error for a recovered value. The function that has recovered it calls
// newPanicError itself, so that the stack is that of the panic.
func newPanicError(v any) *PanicError {
	if p, ok := v.(*PanicError); ok && p != nil {
		return p // passed on by the function of an Around
	}
	stack := debug.Stack()
	return &PanicError{Value: v, Stack: stack[:min(len(stack), maxStack)]}
}

// errorAttrs returns the log attributes of an error, with the stack if it is a panic.
func errorAttrs(reason error) []slog.Attr {
	attrs := []slog.Attr{slog.String("error", textOf(reason))}
	if p := pointerIn[PanicError](reason); p != nil {
		attrs = append(attrs, slog.Any("stack", redact.Frames(string(p.Stack))))
	}
	return attrs
}

// textOf returns the text of an error of the application. A method Error that panics, for instance
// on a nil pointer, must not end more than its channel.
func textOf(err error) string {
	if nils.Is(err) {
		return fmt.Sprintf("a nil %T was returned as error", err)
	}
	return redact.Print(err)
}
