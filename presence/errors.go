package presence

import (
	"errors"

	"github.com/bennu-go/bennu/internal/tracker"
)

// Errors of Track and Update. If a handler returns one of them, the client gets the reason "internal";
// return a *bennu.Error instead to tell the client more.
var (
	// ErrTracked means that the owner already tracks the key in the topic.
	ErrTracked = tracker.ErrTracked
	// ErrNotTracked means that there is no entry to update.
	ErrNotTracked = tracker.ErrNotTracked
	// ErrTooLarge means that the topic or the key has more than 1 KiB, or the meta more than
	// Limits.MetaBytes. It is not the ErrTooLarge of package bennu.
	ErrTooLarge = tracker.ErrTooLarge
	// ErrFull means that Limits.Entries or Limits.NodeEntries is reached.
	ErrFull = tracker.ErrFull
	// ErrTooOften means that the connection has used up Limits.Burst and Limits.Rate.
	ErrTooOften = errors.New("presence: this connection tracks and updates too often")
	// ErrNotObject means that the meta does not encode to a JSON object, or has a field
	// phx_ref or phx_ref_prev.
	ErrNotObject = errors.New("presence: a meta must encode to a JSON object without phx_ref and phx_ref_prev")
)

var (
	errClosed     = tracker.ErrClosed
	errNilChannel = errors.New("presence: the *bennu.Channel is nil; keep the one that join is given in the state that it returns")
	errNotSent    = errors.New("presence: the list was not sent, since a function of the program panicked")
)
