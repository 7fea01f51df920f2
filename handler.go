package bennu

import (
	"context"

	"github.com/bennu-go/bennu/wire"
)

// Payload is what a message carries: JSON text, or bytes when Binary is set.
type Payload = wire.Payload

// A ChannelHandler serves the topics it is registered for. Define makes one
// of typed functions; implement it yourself to wrap another (middleware) or to
// handle payloads undecoded.
//
// Join and the methods of the Instance it returns may panic, or call
// runtime.Goexit: that ends this channel alone.
type ChannelHandler interface {
	// Join decides whether the client may join ch.Topic, and makes the instance
	// that serves it. The reply's Response goes to the client; its Status is not
	// used. What the client sends after the join waits until Join returns, for its other
	// topics too, so Join should be quick. It runs concurrently with the joins of other
	// connections.
	//
	// An *Error refuses the join with its reason, a Disconnect closes the
	// connection; any other error is logged, and the client told "internal". An
	// Instance that is returned beside an error gets its Terminate.
	Join(ctx context.Context, ch *Channel, payload Payload) (Instance, Reply, error)
}

// An Instance is one topic joined by one connection. One that wraps another embeds it
// and overrides methods, as Around does. The methods run one at a
// time, so it needs no locks of its own. The context ends with the channel; its cause
// is the reason. For what the errors mean see Error, Stop, Crash and Disconnect;
// others are logged and, in HandleIn, replied as "internal".
type Instance interface {
	// HandleIn takes an event from the client. A Reply without Status is none.
	// The payload must not be changed.
	HandleIn(ctx context.Context, event string, payload Payload) (Reply, error)
	// HandleOut takes a broadcast on the channel's topic that it intercepts, in place
	// of the client: what the client shall see is pushed by hand.
	HandleOut(ctx context.Context, event string, payload Payload) error
	// HandleInfo takes what was given to Channel.Send, and broadcasts of
	// other topics as Broadcast values.
	HandleInfo(ctx context.Context, msg any) error
	// Intercepts are the events of broadcasts that HandleOut takes. It is
	// called once, when the channel has joined.
	Intercepts() []string
	// Terminate is called once, after the last handler has returned, however the
	// channel ended. Nothing it pushes reaches the client, but it may broadcast.
	Terminate(reason error)
}

// Broadcast is a message of a topic, as subscribers outside of clients see it.
type Broadcast struct {
	Topic   string
	Event   string
	Payload Payload
	// Missed is the number of broadcasts that were dropped just before this one
	// because the subscriber was too slow, and one more where those of other nodes may have been
	// missed. Only Endpoint.Subscribe sets it.
	Missed int
}
