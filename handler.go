package bennu

import "context"

// A ChannelHandler serves the topics it is registered for. Define makes one of typed functions.
// Implement it yourself to wrap another handler, or to handle payloads undecoded.
//
// Join and the methods of the Instance it returns may panic or call runtime.Goexit: that ends this
// channel alone.
type ChannelHandler interface {
	// Join decides whether the client may join ch.Topic, and makes the instance that serves it. The
	// Response of the reply goes to the client; its Status is not used. Messages that the client
	// sends after the join, on any topic, wait until Join returns or Limits.JoinTimeout has passed,
	// so Join should be quick. Join runs concurrently with the joins of other connections.
	//
	// If Join returns an *Error, the join is refused with its reason. A Disconnect closes the
	// connection. Any other error is logged, and the client gets the reason "internal". If Join
	// returns an Instance together with an error, its Terminate is called.
	Join(ctx context.Context, ch *Channel, payload Payload) (Instance, Reply, error)
}

// An Instance is one topic joined by one connection. An Instance that wraps another embeds it and
// overrides methods, as Around does. The methods run one at a time, so the Instance needs no locks
// of its own. The context of a method is cancelled when the channel ends; its cause is the reason
// of the end. For the errors that have a meaning see Error, Stop, Crash and Disconnect. Other
// errors are logged, and HandleIn replies to them with "internal".
type Instance interface {
	// HandleIn handles an event from the client. A Reply without Status sends no reply. The payload
	// must not be changed.
	HandleIn(ctx context.Context, event string, payload Payload) (Reply, error)
	// HandleOut handles a broadcast on the channel's topic whose event is one of Intercepts. The
	// client does not get the broadcast: HandleOut must push what the client should see.
	HandleOut(ctx context.Context, event string, payload Payload) error
	// HandleInfo handles the messages given to Channel.Send, and broadcasts of other topics as
	// Broadcast values.
	HandleInfo(ctx context.Context, msg any) error
	// Intercepts returns the events whose broadcasts go to HandleOut. It is called once, right
	// after Join has returned the Instance, before the channel subscribes to its topic.
	Intercepts() []string
	// Terminate is called once, after the last handler has returned, however the channel ended. It
	// cannot push to the client any more, but it may broadcast.
	Terminate(reason error)
}
