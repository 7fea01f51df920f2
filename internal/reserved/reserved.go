// Package reserved has the names of the topics that the library itself uses on a PubSub. A client
// cannot join them.
package reserved

import "strings"

const (
	// LongPoll begins the topics on which nodes pass on requests of long polling.
	LongPoll = prefix + "lp:"
	// Disconnects is the topic on which every broadcast of EventDisconnect reaches all nodes. The
	// payload is the topic of the broadcast, which is an id of connections.
	Disconnects = prefix + "disconnect"
	// EventDisconnect closes the connections whose id is the topic that it is broadcast on.
	EventDisconnect = "disconnect"

	prefix = "phx:"
	// control begins the topics of trackers. The serializers of this module accept no control
	// characters in a topic; one of a program may.
	control = "\x01"
)

// Topic reports whether a topic belongs to the library.
func Topic(topic string) bool {
	return strings.HasPrefix(topic, prefix) || strings.HasPrefix(topic, control)
}
