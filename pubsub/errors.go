package pubsub

import "errors"

// Errors of Broadcast and DirectBroadcast. They mean that other nodes do not get the message,
// except for a subscriber's ErrTooLarge. Broadcast calls the subscribers of this node in any case.
var (
	// ErrTooLarge means that the message is larger than the broker accepts, or than a subscriber of
	// this node can accept; in that case all others get it. The text says which, with the sizes.
	ErrTooLarge = errors.New("pubsub: the message is too large")
	// ErrBufferFull means that the broker is away or slow, and that the messages that wait for it
	// have reached their bound.
	ErrBufferFull = errors.New("pubsub: too much is waiting for the broker")
	// ErrStopped means that the adapter was not started, or was stopped.
	ErrStopped = errors.New("pubsub: the adapter does not run")
)

// Errors of New, which the error of an adapter wraps.
var (
	// ErrNameTaken means that another running node has the same name. If this is noticed only after
	// the start, the younger of the two nodes leaves the cluster: Health.Err is ErrNameTaken, and
	// Broadcast returns it.
	ErrNameTaken = errors.New("pubsub: another running node has this name")
	// ErrLogin means that the broker does not accept the credentials.
	ErrLogin = errors.New("pubsub: the broker does not accept the credentials")
)

var errNoAdapter = errors.New("pubsub: there is no adapter, so no other node can be reached")
