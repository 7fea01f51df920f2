package wire

import (
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error of a Decode method, of [ParseRef] and
// of [Compact]: the input is not what the protocol allows.
var ErrMalformed = errors.New("wire: malformed message")

// These say more about an [ErrMalformed], and are wrapped beside it.
var (
	// ErrTooDeep: more than MaxDepth arrays and objects within each other.
	ErrTooDeep = errors.New("more than 64 levels of arrays and objects")
	// ErrTooManyTokens: more than MaxTokens values and keys, or those of the serializer.
	ErrTooManyTokens = errors.New("too many values and keys")
	// ErrRefTooLong: a ref or join_ref of more than MaxRef bytes.
	ErrRefTooLong = errors.New("ref or join_ref longer than 1024 bytes")
)

// ErrNoBinary is returned by the Append methods of [V1] for a binary payload,
// which version 1 of the protocol has no form for.
var ErrNoBinary = errors.New("wire: version 1 of the protocol has no binary payloads")

// What else can be wrong with JSON text. Nobody can act on the difference, so
// these stay private; their texts hold nothing that a client sent.
var (
	errEnd       = errors.New("unexpected end")
	errByte      = errors.New("unexpected character")
	errLiteral   = errors.New("unknown literal")
	errTrailing  = errors.New("data after the value")
	errNumber    = errors.New("number badly written")
	errRange     = errors.New("number beyond a float64")
	errControl   = errors.New("control character in a string")
	errEscape    = errors.New("unknown escape in a string")
	errSurrogate = errors.New("lone surrogate in a string")
	errUTF8      = errors.New("invalid UTF-8")

	errNotArray  = errors.New("not an array")
	errTooFew    = errors.New("fewer than five elements")
	errNotObject = errors.New("not an object")
	errNoKey     = errors.New("topic, event, payload or ref missing")
	errOpcode    = errors.New("neither a text nor a binary frame")
	errKind      = errors.New("unknown kind of binary message")
	errShort     = errors.New("binary message shorter than its fields")
	errNotReply  = errors.New("reply without a status")
)

// A DecodeError tells where in the input the trouble is. It wraps [ErrMalformed]
// and a reason, and its text quotes nothing of the input.
type DecodeError struct {
	Offset int   // bytes before the one at fault
	Err    error // the reason; ErrTooDeep and its like, or one without a name
}

// Error implements error.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("%v: at byte %d: %v", ErrMalformed, e.Offset, e.Err)
}

// Unwrap returns [ErrMalformed] and the reason.
func (e *DecodeError) Unwrap() []error { return []error{ErrMalformed, e.Err} }

// A FieldTooLongError is returned by the Append methods of [V2] for a message with a
// binary payload that has a field of more than 255 bytes, the most that the
// length byte of a binary frame can tell.
type FieldTooLongError struct {
	Field string // "join_ref", "ref", "topic", "event" or "status"
	Len   int    // bytes
}

// Error implements error.
func (e *FieldTooLongError) Error() string {
	return fmt.Sprintf("wire: %s has %d bytes, and a binary message holds at most 255", e.Field, e.Len)
}
