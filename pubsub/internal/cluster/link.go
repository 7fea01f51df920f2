package cluster

import (
	"context"
	"errors"
)

// A Link is a connection to a broker. Node calls Open first and Close last. In between it calls
// Publish from one goroutine, and Subscribe and Unsubscribe from another.
type Link interface {
	// Open connects. If it returns no error, the link reconnects by itself until Close. The
	// context bounds Open alone.
	Open(ctx context.Context, e Events) error
	// Subscribe subscribes to channels, and returns when the broker has confirmed all of them.
	// The link keeps its subscriptions over all connections. A channel may be subscribed to
	// already; then it is confirmed again. After an error Subscribe is called again with the
	// same channels. A *Refusal names the channels that the broker refuses; all others are
	// confirmed then.
	Subscribe(ctx context.Context, channels []string) error
	// Unsubscribe ends subscriptions.
	Unsubscribe(channels []string) error
	// Publish passes messages to the broker, in order, and returns how many it has accepted.
	// After ErrAway, the others are passed again when the link is up. With any other error,
	// the first message that was not accepted is lost. If it is a Question and the node may
	// not publish to the channel, the error is a *Refusal.
	Publish(ctx context.Context, messages []Outgoing) (taken int, err error)
	// MaxPayload returns the size of the largest message that the broker accepts, in bytes.
	MaxPayload() int
	// Server returns the server of the broker to which the link is connected. Subscriptions of
	// nodes at different servers take effect for each other with a delay; "" means that there
	// is no such delay with this broker.
	Server() string
	// Reset makes a new connection, since the broker does not deliver any more.
	Reset()
	// Close ends the link and waits for its goroutines.
	Close()
}

// A Router is a Link that knows the nodes that its server can reach at the moment.
type Router interface {
	// Reaches reports whether messages of a server arrive here.
	Reaches(server string) bool
	// Servers returns all servers whose messages arrive here, or did a few seconds ago. Each has
	// one node.
	Servers() []string
	// Namesake reports whether a node of one of these has the name of this node.
	Namesake() bool
}

// A Knocker is a Link whose broker knows whether channels have subscribers. A Router need not be
// one.
type Knocker interface {
	// Knock publishes a byte to a channel and returns the number of connections to which it was
	// delivered, or 1 for any number. Connections that subscribe to patterns do not count. If
	// there are some and the broker cannot tell them apart, the error is ErrUncounted.
	Knock(ctx context.Context, channel string) (int, error)
}

// ErrUncounted means that the broker cannot tell whether a channel has subscribers.
var ErrUncounted = errors.New("somebody listens to everything below the prefix")

// Events are the calls of a Link to its Node.
type Events interface {
	// Message takes a received message, and owns data. It blocks while too many messages wait,
	// which makes the link stop reading. The messages of one channel must come from one
	// goroutine.
	Message(channel string, data []byte)
	// Down says that the connection was lost.
	Down(cause error)
	// Up says that there is a new connection, and that it has all subscriptions.
	Up()
	// Refused says that the broker has ended subscriptions that it had confirmed, or that it
	// refuses the user of this node.
	Refused(r *Refusal)
	// Unsent says that the broker has refused a message that Publish had accepted.
	Unsent(channel string, cause error)
	// Dropped says that messages were dropped, or may have been, without a Down.
	Dropped(cause error)
}

// Outgoing is a message for the broker.
type Outgoing struct {
	Channel string
	Data    []byte
}

// question is the content of messages that try whether this node may publish to a channel. Receivers
// drop them.
const question = "bn?"

// Question reports whether m is a question.
func (m Outgoing) Question() bool { return string(m.Data) == question }

// ErrAway means that there is no connection to the broker now.
var ErrAway = errors.New("the broker is not connected")
