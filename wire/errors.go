package wire

import (
	"errors"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// ErrMalformed is wrapped by the errors of Decode of [V1] and [V2] for a message that the protocol
// does not allow, and by those of [ParseRef].
var ErrMalformed = jsontext.ErrMalformed

// ErrNoBinary is the error of [V1] for a binary payload. A serializer or a transport that cannot carry
// bytes returns it, too.
var ErrNoBinary = errors.New("wire: version 1 of the protocol has no binary payloads")

// Reasons of a malformed message. Their texts quote nothing that a client sent.
var (
	errRefTooLong = errors.New("ref or join_ref longer than 1024 bytes")
	errNotArray   = errors.New("not an array")
	errTooFew     = errors.New("fewer than five elements")
	errNotObject  = errors.New("not an object")
	errNoKey      = errors.New("topic, event, payload or ref missing")
	errOpcode     = errors.New("neither a text nor a binary frame")
)

// malformed returns the error for a message that is malformed at an offset.
func malformed(at int, reason error) error { return &jsontext.Error{Offset: at, Err: reason} }
