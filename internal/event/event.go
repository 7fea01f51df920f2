// Package event has the rule for events that an application names: in a handler, a push or a
// broadcast, on the server and in the client.
package event

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/protocol"
)

// max is the longest event, in bytes, for which the binary form of the protocol has room.
const max = 255

// Fault returns a sentence that says why an event cannot be used, or "".
func Fault(event string) string {
	switch {
	case event == "":
		return "an event must have a name"
	case len(event) > max || !utf8.ValidString(event):
		return fmt.Sprintf("event %.300q must be UTF-8 of at most %d bytes", event, max)
	case strings.HasPrefix(event, "phx_") && reserved(event):
		return fmt.Sprintf("event %q belongs to the protocol; use another name", event)
	}
	return ""
}

// reserved reports whether an event has a meaning of its own on every topic.
func reserved(event string) bool {
	switch event {
	case protocol.EventJoin, protocol.EventLeave, protocol.EventReply, protocol.EventClose, protocol.EventError:
		return true
	}
	return false
}
