package seam

// Bounds are the options of a transport that must fit those of the mount's other transports: every
// client must be able to receive what any client may send.
type Bounds struct {
	Message       Bound // the bytes that a client may send at once
	QueueBytes    Bound // the bytes that may wait for a client
	QueueMessages Bound // the messages that may wait for a client
}

// A Bound is one option. If Option is empty, the transport does not have it.
type Bound struct {
	Option  string // for error texts, such as "websocket.Options.MaxMessage"
	Value   int    // 0 means Default, bennu.Unlimited no bound
	Default int
}
