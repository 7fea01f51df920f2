package seam

// Bounds are the options of a transport that must fit those of the other transports of a mount:
// what one client may send, every client must be able to get.
type Bounds struct {
	Message       Bound // the bytes that a client may send at once
	QueueBytes    Bound // the bytes that may wait for a client
	QueueMessages Bound // the messages that may wait for a client
}

// A Bound is one option. One without a name is not there.
type Bound struct {
	Option  string // such as "websocket.Options.MaxMessage", for sentences
	Value   int    // 0 is Default, and transport.Unlimited none
	Default int
}
