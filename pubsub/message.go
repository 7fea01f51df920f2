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

// Dispatch is the delivery of one message to the subscribers of this node. It is valid only during
// Deliver; its Message stays valid.
type Dispatch struct {
	*Message
	// Remote says that the message came from another node, through a broker to which others may
	// write. Its content has not been checked.
	Remote bool
	// Memo is for a value that the subscribers of one dispatch share, such as an encoded frame. They
	// are called one after the other; for the first it is nil.
	Memo any

	told bool  // the publisher gets err
	err  error // of Refuse
}

// Refuse is called in Deliver by a subscriber that can never accept the message. The publisher gets
// err if it is on this node and its call returns errors; told reports whether it does. The other
// subscribers get the message all the same.
func (d *Dispatch) Refuse(err error) (told bool) {
	d.err = err
	return d.told
}

// A Subscriber gets the messages of a topic.
type Subscriber interface {
	// Deliver takes one message. It runs in the goroutine of the publisher, which calls all other
	// subscribers too, so it must not block or panic. Several publishers may call it concurrently.
	Deliver(d *Dispatch)
}
