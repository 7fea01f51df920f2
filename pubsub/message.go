package pubsub

// Message is one broadcast. It must not be changed after it was published.
type Message struct {
	// Topic is any string. There are no wildcards.
	Topic string
	// Event names the message within its topic.
	Event string
	// Payload is the content, which this package does not look at.
	Payload []byte
	// Binary says that Payload is not JSON text, for subscribers that encode it.
	Binary bool
}
