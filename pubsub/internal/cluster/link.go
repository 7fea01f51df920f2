package cluster

import (
	"context"
	"errors"
)

// A Link is a connection to a broker. Node calls Open first and Close last; in
// between Publish from one goroutine and Subscribe and Unsubscribe from one other.
type Link interface {
	// Open connects. When it returns without an error the link keeps itself
	// connected, until Close. The context bounds Open alone.
	Open(ctx context.Context, e Events) error
	// Subscribe adds channels and returns when the broker has confirmed them all. A
	// channel that was added before is confirmed again. After an error it is
	// called again with the same channels; those it has added stay added, whatever
	// becomes of the connection. A *Refusal names those that the broker does not allow;
	// all others are confirmed then, and the refused ones are asked for again.
	Subscribe(ctx context.Context, channels []string) error
	// Unsubscribe takes channels back.
	Unsubscribe(channels []string) error
	// Publish hands messages to the broker, in order, and returns how many it took.
	// With ErrAway the rest is tried again once the link is up; any other error
	// condemns the first message not taken. A Question is not taken, with a *Refusal,
	// when the channel may not be published to.
	Publish(ctx context.Context, messages []Outgoing) (taken int, err error)
	// MaxPayload is the largest message the broker takes, in bytes.
	MaxPayload() int
	// Server is where at the broker the link has ended up. Nodes that are at
	// different servers of one broker see each other's interest later; "" means that
	// this cannot be.
	Server() string
	// Reset drops the connection and makes a new one: the broker no longer delivers
	// to this one.
	Reset()
	// Close ends the link and waits for its goroutines.
	Close()
}

// A Router is a Link that knows which nodes its server can reach at this moment.
type Router interface {
	// Reaches reports whether messages can come from a server.
	Reaches(server string) bool
	// Servers are all those that messages can come from now, or could some seconds ago, each
	// with a node of its own.
	Servers() []string
	// Namesake reports whether the node of one of these has this node's name.
	Namesake() bool
}

// A Knocker is a Link whose broker knows who listens to a channel. A Router need not be one.
type Knocker interface {
	// Knock publishes a byte to a channel and returns how many connections it was
	// delivered to, or 1 for any number. Listeners to everything do not count; while
	// there are some and the broker cannot tell them apart, the error is ErrUncounted.
	Knock(ctx context.Context, channel string) (int, error)
}

// ErrUncounted means that the broker cannot tell who listens to a channel.
var ErrUncounted = errors.New("somebody listens to everything below the prefix")

// Events is what a Link tells.
type Events interface {
	// Message takes a message. It owns data. It blocks when too much is waiting; that
	// is what slows the broker down. The messages of one channel must come from one
	// goroutine.
	Message(channel string, data []byte)
	// Down says that the broker is away.
	Down(cause error)
	// Up says that it is back and every channel subscribed again.
	Up()
	// Refused says that the broker has taken channels away that it had confirmed, or that
	// it lets nobody in.
	Refused(r *Refusal)
	// Unsent says that the broker has refused a message that Publish had taken.
	Unsent(channel string, cause error)
	// Dropped says that messages had to be dropped, or may have been, though the
	// broker was never away.
	Dropped(cause error)
}

// Outgoing is a message on its way to the broker.
type Outgoing struct {
	Channel string
	Data    []byte
}

// question is what nodes publish to see whether they may, and drop when it comes.
const question = "bn?"

// Question reports whether m asks only whether its channel may be published to.
func (m Outgoing) Question() bool { return string(m.Data) == question }

// ErrAway means that the broker is not connected at this moment.
var ErrAway = errors.New("the broker is not connected")
