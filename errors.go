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
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// Error is an error that the client is told about: the reply has status "error"
// and the response {"reason": Reason}. Returned from Join it refuses the join. A nil
// *Error that a callback returns as its error counts as nil, and so do nil pointers to the
// other error types of this package; a nil of any other type is an error.
type Error struct {
	// Reason is sent to the client.
	Reason string
	// Response, when not nil, is sent in place of {"reason": Reason}. It is
	// any value that encodes to JSON.
	Response any
}

// Error is the reason, with the field that "invalid payload" is about where Response is a
// Raw that names one, as package channeltest returns it.
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

// Errorf makes an Error with a formatted reason.
func Errorf(format string, args ...any) *Error {
	return &Error{Reason: fmt.Sprintf(format, args...)}
}

// Disconnect closes the whole connection when a callback returns it, as a value or
// a pointer, wrapped or not.
type Disconnect struct {
	// Code is the close code. 0 means 1001, going away; stock clients connect
	// again after every code but 1000. Applications may use 3000 to 4999. A code
	// that may not be sent becomes 1011.
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

// asDisconnect finds a Disconnect in what a callback returned.
func asDisconnect(err error) (Disconnect, bool) {
	if d, ok := errors.AsType[Disconnect](err); ok {
		return d, true
	}
	if d := pointerIn[Disconnect](err); d != nil {
		return *d, true
	}
	return Disconnect{}, false
}

// withoutNil is what a callback of the program returned, or nil for a nil pointer to an error
// type of this module: Go makes an error that is not nil of a function's nil *Error. It does
// the same for errors.Join of such pointers alone. One with a text around it is an error, and
// so is a nil of another type, in a form that has no methods of the program: it is unknown
// what that means, and it must not let anybody in.
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

// pointerIn is errors.AsType for a pointer type, but passes over nil pointers.
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

// Errors that a callback returns to end its channel. They may be wrapped, to
// give Terminate a reason: fmt.Errorf("game over: %w", bennu.Stop).
var (
	// Stop sends the reply, if the handler has one, and closes the channel: the client gets
	// phx_close and does not join again by itself. If an *Error is joined with it
	// (errors.Join), that is the reply.
	Stop = errors.New("bennu: stop")
	// Crash sends the reply, if the handler has one, and ends the channel as a
	// panic would: the client gets phx_error and joins again.
	Crash = errors.New("bennu: crash")
)

// ErrRefused from Connect refuses the connection without a reason: the client
// gets an empty 403 and the mount's ErrorHandler is not asked.
var ErrRefused = transport.ErrRefused

// Errors of calls on a channel.
var (
	// ErrNotJoined: the channel's Join has not returned yet. Send a message to
	// the channel there, and push from its handler.
	ErrNotJoined = errors.New("bennu: the channel has not joined yet; in Join, use Send and act in the handler of that message")
	// ErrClosed: the channel has ended, and nothing from it reaches its client
	// any more.
	ErrClosed = errors.New("bennu: the channel has ended")
	// ErrMailboxFull: the channel has more waiting for it than Limits allow.
	ErrMailboxFull = errors.New("bennu: the channel's mailbox is full")
	// ErrNoRef: the client asked for no reply to this message.
	ErrNoRef = errors.New("bennu: the message has no ref to reply to")
	// ErrTooLarge: a push, a reply or a broadcast is larger than what may wait for a client,
	// which is an option of its transport, such as MaxQueueBytes: nobody
	// gets it. Or a broadcast is larger than the broker between nodes takes: then the
	// clients of this node alone get it. A handler that returns it is answered with the
	// error "too large".
	ErrTooLarge = pubsub.ErrTooLarge
	// ErrNotObject: the payload of a push or a broadcast must be a JSON object, or
	// bytes. Clients ignore anything else in silence.
	ErrNotObject = errors.New("bennu: the payload of a push or broadcast must encode to a JSON object")
	// ErrEvent: the event of a push or a broadcast is empty, longer than 255 bytes, not
	// UTF-8, or one of the protocol's own, phx_close for instance. The text says which.
	ErrEvent = errors.New("bennu: the event cannot be sent")
	// ErrTopic: the topic of a broadcast, or the id of a disconnect, is empty or one of the
	// library's own, which begin with phx:.
	ErrTopic = errors.New(`bennu: the topic is empty, or begins with "phx:"`)
	// ErrUnknownEvent from Instance.HandleIn says that there is no handler for
	// the event. The channel ends with phx_error.
	ErrUnknownEvent = errors.New("bennu: no handler for this event")
)

// Reasons for the end of a channel, given to Terminate, and the causes of the
// context of its handlers. Others are what a callback returned, a *PanicError,
// and a *transport.ClosedError for a connection closed over what the client sent.
var (
	ErrLeft          = errors.New("bennu: the client left the channel")
	ErrDuplicateJoin = errors.New("bennu: the client joined the topic again")
	ErrDisconnected  = errors.New("bennu: the connection was disconnected by its id")
	ErrDraining      = errors.New("bennu: the server is shutting down")
	ErrJoinTimeout   = errors.New("bennu: join took longer than its limit")
	// ErrGap: messages of other nodes may have been missed. The client gets
	// phx_error and joins again.
	ErrGap = errors.New("bennu: messages of other nodes may have been missed")

	ErrClientClosed = transport.ErrClientClosed
	ErrLost         = transport.ErrLost
	ErrIdle         = transport.ErrIdle
	ErrSlowConsumer = transport.ErrSlowConsumer
)

// PanicError is the reason of a channel that ended with a panic, or with
// runtime.Goexit, in which case Value is nil.
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
	// With the names of fields, by which a log knows which of them are secret.
	return "bennu: callback panicked: " + redact.Print(e.Value)
}

// Unwrap is the panic's value when that is an error.
func (e *PanicError) Unwrap() error {
	if e == nil {
		return nil
	}
	err, _ := e.Value.(error)
	return err
}

// newPanicError makes the error of a recovered value. It is called by the function that has
// recovered it, so that the stack is that of the panic.
func newPanicError(v any) *PanicError {
	if p, ok := v.(*PanicError); ok && p != nil {
		return p // the function of an Around has seen it, and passed it on
	}
	stack := debug.Stack()
	return &PanicError{Value: v, Stack: stack[:min(len(stack), maxStack)]}
}

// maxStack bounds what a stack takes in a log.
const maxStack = 8 << 10

// errorAttrs makes log attributes of an error, with the stack of a panic.
func errorAttrs(reason error) []slog.Attr {
	attrs := []slog.Attr{slog.String("error", textOf(reason))}
	if p := pointerIn[PanicError](reason); p != nil {
		attrs = append(attrs, slog.Any("stack", redact.Frames(string(p.Stack))))
	}
	return attrs
}

// textOf is the text of an error of the application's. A method Error that panics, as on a nil
// pointer, or does not return, must not end more than its channel.
func textOf(err error) string {
	if nils.Is(err) {
		return fmt.Sprintf("a nil %T was returned as error", err)
	}
	return redact.Print(err)
}
