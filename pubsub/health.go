package pubsub

import "time"

// Health is the state of an Adapter. Its counters start at zero when the adapter starts. They are
// read one after the other, not at one instant.
type Health struct {
	// Connected reports whether the broker answers. While it does not, messages for other nodes
	// wait, within bounds; subscribers of this node are not affected.
	Connected bool
	// Since is the time of the last change of Connected.
	Since time.Time
	// Err is the reason why the broker is not connected, or another problem, such as a second node
	// with the same name; nil means that there is none. ErrNameTaken while Connected is false is
	// final: an older node has the name. Use Err.Error() in JSON, where an error is {}.
	Err error
	// Peers are the names of the other nodes that were heard lately, sorted.
	Peers []string

	Topics   int // topics that are wanted now
	Pending  int // of these, topics that the broker has not confirmed
	Buffered int // bytes that wait for the broker now

	Sent      int64 // messages passed to the broker
	Received  int64 // messages of other nodes that were delivered
	Lost      int64 // messages that were not accepted for other nodes, except too large ones; each was an error for its publisher, or logged
	Missed    int64 // messages of other nodes that did not arrive, known from their numbers
	Discarded int64 // messages that arrived twice or late, or from nodes that do not prove that they are alive
	Garbage   int64 // received data that is no message of this cluster
	Gaps      int64 // times in which messages may have been missed
	Conflicts int64 // messages of another node with the name of this one
}
