package pubsub

// Message is one broadcast. Once published it must not be changed.
type Message struct {
	// Topic is any string; there are no wildcards here.
	Topic string
	// Event names the message within its topic.
	Event string
	// Payload belongs to publisher and subscribers; this package carries it.
	Payload []byte
	// Binary tells the two kinds of Payload apart, for those who encode it.
	Binary bool
}

// Dispatch is one message on its way to the subscribers of this node. It is
// valid only during Deliver; the Message in it stays valid.
type Dispatch struct {
	*Message
	// Remote says that the message came from another node, through a broker that
	// others may write to. Its meaning has not been checked.
	Remote bool
	// Memo lasts for one dispatch and is shared by its subscribers, who are
	// called one after the other: the place to keep what is made once for all of
	// them, such as an encoded frame.
	Memo any

	told bool  // the publisher waits for err
	err  error // of Refuse
}

// Refuse is called in Deliver by a subscriber that can never take the message. The publisher gets
// err if it is on this node and its call returns errors, which Refuse reports; otherwise
// nobody hears of it. The other subscribers get the message all the same.
func (d *Dispatch) Refuse(err error) (told bool) {
	d.err = err
	return d.told
}

// A Subscriber takes the messages of a topic.
type Subscriber interface {
	// Deliver takes one message. It runs in the publisher's goroutine, which has
	// all other subscribers still to serve: it must not block, and must not panic.
	// Several publishers may call it at once.
	Deliver(d *Dispatch)
}
