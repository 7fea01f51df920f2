// Package pace lets package presence send large messages at the pace of the client. It makes no
// promise to programs.
package pace

import "errors"

// Offer is Channel.Push for a message that can wait. The message is queued if at least half of the
// connection's queue stays free. Otherwise nothing is sent, and Offer returns a channel that is
// closed when the message may be offered again: when the queue is low, or the connection has ended.
// The event and the payload, which is JSON text, are not checked. Package bennu sets it.
var Offer func(channel any, event string, payload []byte) (again <-chan struct{}, err error)

// Low returns nil when at most a quarter of the queue of a channel's connection is in use, and
// otherwise a channel that is closed when that is so. Package bennu sets it.
var Low func(channel any) <-chan struct{}

// Errors of Offer, and of the connections that it asks, beside those of Channel.Push.
var (
	ErrClosed   = errors.New("bennu: the connection takes no more")
	ErrTooLarge = errors.New("bennu: the message is larger than three quarters of the connection's queue")
)
