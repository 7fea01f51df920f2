package jsontext

import (
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every [Error]. Package wire has it for users, under the same name.
var ErrMalformed = errors.New("wire: malformed message")

// Reasons that the server treats apart from others: the text is JSON.
var (
	ErrTooDeep       = errors.New("more than 64 levels of arrays and objects")
	ErrTooManyTokens = errors.New("too many values and keys")
)

// ErrUTF8 is a reason of binary frames, too.
var ErrUTF8 = errors.New("invalid UTF-8")

// Other reasons. Their texts hold nothing that a client sent.
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
)

// An Error says where a message is malformed, and why. Its text quotes nothing of the
// message.
type Error struct {
	Offset int // of the byte at fault
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%v: at byte %d: %v", ErrMalformed, e.Offset, e.Err)
}

// Unwrap returns ErrMalformed and the reason.
func (e *Error) Unwrap() []error { return []error{ErrMalformed, e.Err} }
