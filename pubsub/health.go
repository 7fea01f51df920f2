package pubsub

import "time"

// Health is how an Adapter does. The counters count since its start, and are read
// one after the other, not at one instant.
type Health struct {
	// Connected says that the broker answers. While it does not, this node goes on
	// by itself and what it publishes for others waits, within bounds.
	Connected bool
	// Since is when Connected changed last.
	Since time.Time
	// Err is why the broker is not connected, or what else is wrong, such as a
	// second node that runs with the same name. One that was refused at its start is
	// counted in Conflicts alone. nil means that all is well. ErrNameTaken while
	// Connected is false is for good: an older node has this one's name. In JSON an error
	// is {}; write Err.Error() there.
	Err error
	// Peers are the names of the other nodes that were heard of lately, sorted.
	Peers []string

	Topics   int // topics wanted at this moment
	Pending  int // of these, not confirmed by the broker yet
	Buffered int // bytes that wait for the broker at this moment

	Sent      int64 // messages handed to the broker
	Received  int64 // messages of other nodes delivered on this one
	Lost      int64 // messages not taken for other nodes, without those that are too large; each was an error to its publisher, or logged
	Missed    int64 // messages of other nodes that did not come, known from their numbering
	Discarded int64 // messages that came twice or too late, or of nodes that do not prove that they are alive
	Garbage   int64 // what came and was no message of ours
	Gaps      int64 // times in which messages may have been missed
	Conflicts int64 // messages of another node with this one's name
}
