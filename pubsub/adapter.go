package pubsub

import "context"

// An Adapter is the leg between nodes, and nothing else: it has no part in
// delivery on its own node. All methods may be called from any goroutine, and
// none but Start and Stop may block for long.
type Adapter interface {
	// Node is this node's name, unique in the cluster.
	Node() string
	// Start is called once, before anything else. The adapter calls receive for
	// each message that another node sent; the messages of one publisher to one
	// topic in order, never two at once for one topic, and never a message of
	// this node. What comes from outside is untrusted, so the adapter has checked
	// its bounds.
	Start(ctx context.Context, receive func(*Message)) error
	// Broadcast sends m to every other node that is interested in its topic.
	// It does not wait for them. An error says that m could not be taken.
	Broadcast(m *Message) error
	// Direct sends m to one named node, whatever its interest.
	Direct(node string, m *Message) error
	// Interest says that this node wants a topic. The channel is closed
	// when no later broadcast of any node can be missed; nil means at once.
	Interest(topic string) <-chan struct{}
	// Forget takes Interest back. Calls come in pairs and in order for each topic.
	Forget(topic string)
	// Stop ends the adapter and waits for its goroutines.
	Stop(ctx context.Context) error
}
