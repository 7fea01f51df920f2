// Package reserved names the topics that the library itself uses on a PubSub. A client cannot
// join them.
package reserved

import "strings"

const (
	// LongPoll begins the topics on which nodes pass requests of long polling on.
	LongPoll = prefix + "lp:"
	// Disconnects carries every broadcast of EventDisconnect to all nodes that accept
	// connections: the payload is the topic of the broadcast, which is an id of connections.
	Disconnects = prefix + "disconnect"
	// EventDisconnect closes the connections whose id is the topic it is broadcast on.
	EventDisconnect = "disconnect"

	prefix = "phx:"
	// control begins the topics of trackers. A serializer of this module takes no control
	// characters in a topic, one of a program's own may.
	control = "\x01"
)

// Topic reports whether a topic belongs to the library.
func Topic(topic string) bool {
	return strings.HasPrefix(topic, prefix) || strings.HasPrefix(topic, control)
}
