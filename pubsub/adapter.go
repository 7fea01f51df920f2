package pubsub

import "context"

// An Adapter connects a node to the other nodes of a cluster. It does not deliver messages to
// subscribers of its own node. All methods may be called from any goroutine, and only Start and
// Stop may block for long. Package pubsubtest has the test suite that every Adapter must pass.
type Adapter interface {
	// Node returns the name of this node, which is unique in the cluster.
	Node() string
	// Start is called once, before any other method but Node. If the adapter cannot work, for
	// instance because of wrong credentials or a broker that does not answer, the error says so.
	// The context bounds Start alone.
	Start(ctx context.Context, r Receiver) error
	// Broadcast sends m, with all its fields, to every other node that is interested in its topic.
	// The Place of a message that has none is nil there, too. Broadcast does not wait for the nodes. An error means that m was not accepted: ErrTooLarge, ErrBufferFull, ErrStopped, or one
	// of the adapter's own.
	Broadcast(m *Message) error
	// Direct sends m to one node, whatever its interest. The errors are those of Broadcast. It need
	// not notice that there is no such node.
	Direct(node string, m *Message) error
	// Interest makes this node receive a topic. The channel is closed when no later broadcast of
	// any node can be missed; nil means that this is so already. If the broker refuses the topic,
	// the channel stays open and Receiver.Gap is called. Interest and Forget are called under a
	// lock of PubSub, and must not call it.
	Interest(topic string) <-chan struct{}
	// Forget ends Interest. For each topic, the calls of the two alternate.
	Forget(topic string)
	// Health returns the state of the adapter.
	Health() Health
	// Stop sends accepted messages, ends the adapter and waits for its goroutines, as far as ctx
	// allows.
	Stop(ctx context.Context) error
}

// A Receiver gets the messages of other nodes from an Adapter. PubSub implements it.
type Receiver interface {
	// Receive takes a message of another node. The messages of one publisher to one topic come in
	// order, each at most once, and never concurrently for one topic. The adapter has checked the
	// sizes of a message, but not its content.
	Receive(m *Message)
	// Gap says that messages may have been missed.
	Gap(g Gap)
}

// Gap describes a time in which messages of other nodes may have been missed. The time is over, and
// later messages arrive, unless the broker refuses the topic.
type Gap struct {
	// Topic is the topic, or "" for all topics.
	Topic string
	// Missed is the number of messages if it is known, and otherwise 0.
	Missed int
	// Cause is the reason, for a log.
	Cause error
	// Over is set if the broker refuses Topic. It is closed when messages arrive again, and
	// replaces the channel of Ready until then. The adapter repeats such a gap from time to time,
	// for later subscriptions.
	Over <-chan struct{}
}
