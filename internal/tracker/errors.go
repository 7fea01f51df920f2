package tracker

import "errors"

// Errors of Track and Update. Package presence returns them as its own, so they have its prefix.
var (
	ErrTracked    = errors.New("presence: this owner tracks this key in this topic already: use Update")
	ErrNotTracked = errors.New("presence: this owner does not track this key in this topic: use Track")
	ErrTooLarge   = errors.New("presence: too large")
	ErrFull       = errors.New("presence: no room for another entry")
	// ErrClosed means that Close has been called.
	ErrClosed = errors.New("presence: closed")
)

// errMalformed is wrapped by every error of decode.
var errMalformed = errors.New("presence: malformed message of another node")
