// Package pace lets package presence send what is large at the pace of its client, without a
// promise to programs.
package pace

import "errors"

// Offer is Channel.Push for a message that can wait. It is queued when that leaves the
// connection's queue half empty. Otherwise nothing is sent, and the channel it returns is
// closed when it may be offered again: when the queue is low or the connection has ended. The
// event and the payload, JSON text, are not checked. Package bennu sets it.
var Offer func(channel any, event string, payload []byte) (again <-chan struct{}, err error)

// Low is nil when at most a quarter of a channel's connection's queue is in use, and otherwise
// a channel that is closed then. Package bennu sets it.
var Low func(channel any) <-chan struct{}

// Errors of Offer, and of the connections that it asks. Errors of Channel.Push come beside them.
var (
	ErrClosed   = errors.New("bennu: the connection takes no more")
	ErrTooLarge = errors.New("bennu: the message is larger than three quarters of the connection's queue")
)
