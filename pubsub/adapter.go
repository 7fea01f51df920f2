package pubsub

import (
	"context"
	"errors"
)

// An Adapter is the leg between nodes, and nothing else: it has no part in
// delivery on its own node. All methods may be called from any goroutine, and
// none but Start and Stop may block for long.
//
// Package pubsubtest has the suite that every Adapter must pass.
type Adapter interface {
	// Node is this node's name, unique in the cluster.
	Node() string
	// Start is called once, before anything else. What cannot work, such as wrong
	// credentials or a broker that is not there, is an error that says so. The
	// context bounds Start alone.
	Start(ctx context.Context, r Receiver) error
	// Broadcast sends m to every other node that is interested in its topic.
	// It does not wait for them. An error says that m was not taken: ErrTooLarge,
	// ErrBufferFull, ErrStopped, or one of the adapter's own.
	Broadcast(m *Message) error
	// Direct sends m to one named node, whatever its interest. The errors are
	// those of Broadcast; that there is no such node need not be known.
	Direct(node string, m *Message) error
	// Interest says that this node wants a topic. The channel is closed
	// when no later broadcast of any node can be missed; nil means at once. While the
	// broker refuses the topic it is not, and Receiver.Gap is told. It is called under a lock of PubSub, as is Forget, and must not call back.
	Interest(topic string) <-chan struct{}
	// Forget takes Interest back. Calls come in pairs and in order for each topic.
	Forget(topic string)
	// Health is how the adapter does.
	Health() Health
	// Stop ends the adapter and waits for its goroutines, or for ctx. Messages
	// that were taken are sent before, as far as ctx allows.
	Stop(ctx context.Context) error
}

// A Receiver takes what an Adapter gets from other nodes. PubSub is one.
type Receiver interface {
	// Receive takes a message that another node sent: the messages of one
	// publisher to one topic in order and each at most once, never two at once for
	// one topic, and never a message of this node. The adapter has checked the bounds of
	// what came, not its meaning.
	Receive(m *Message)
	// Gap says that messages may have been missed.
	Gap(g Gap)
}

// Gap is a time in which messages of other nodes may have been missed. It is over, and what
// is published from now on arrives, unless the broker refuses the topic.
type Gap struct {
	// Topic is where; "" means all topics.
	Topic string
	// Missed is the number of messages, where it is known; otherwise 0.
	Missed int
	// Cause is why, for a log.
	Cause error
	// Over is nil, or of a Topic that the broker refuses now: it is closed when messages
	// arrive again, and what is Ready until then. The adapter says so again from time to
	// time, for those who have subscribed since.
	Over <-chan struct{}
}

// Errors of Broadcast and DirectBroadcast. Each but the second cause of ErrTooLarge means that
// other nodes do not get the message; the subscribers of this node do.
var (
	// ErrNoAdapter answers a direct broadcast to another node when there is none.
	ErrNoAdapter = errors.New("pubsub: no adapter: this node is alone")
	// ErrTooLarge means a message larger than the broker takes; or larger than a subscriber of
	// this node can ever take, and then all others get it. The text says which, with sizes.
	ErrTooLarge = errors.New("pubsub: the message is too large")
	// ErrBufferFull means that the broker is away, or slow, for so long that no
	// more may wait for it.
	ErrBufferFull = errors.New("pubsub: too much is waiting for the broker")
	// ErrStopped means an adapter that was stopped, or not started.
	ErrStopped = errors.New("pubsub: the adapter does not run")
)

// Errors of Start that an adapter's own error wraps.
var (
	// ErrNameTaken means that another running node has this one's name. It is also
	// what Health says, and Broadcast returns, when that is found later and
	// the other node is the older one.
	ErrNameTaken = errors.New("another running node has this name")
	// ErrLogin means that the broker does not accept the credentials.
	ErrLogin = errors.New("the broker does not accept the credentials")
)
