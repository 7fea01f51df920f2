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
	// Place is the place of the message in the history of its topic, or nil if it has none. Package
	// history sets it. Other nodes get it as it is.
	Place *Place
}

// Place is the place of a message in the history of its topic; see package history. Offsets of a
// topic rise, and need not be consecutive.
type Place struct {
	Epoch  string // of the topic's history, at most 8 bytes
	Offset uint64 // of the message
	Prev   uint64 // offset of the message before it, or 0
	From   string // names the channel that does not get the message; at most 64 bytes, often empty
}
