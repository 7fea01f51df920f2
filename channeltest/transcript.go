package channeltest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/protocol"
)

// entry is a message or a note in the transcript of an endpoint. All clients share one list, so that a
// failure shows the order in which things happened.
type entry struct {
	client *Client // nil for a broadcast to a Listener
	kind   kind
	*message
	note   string
	number int   // its index in the transcript
	taken  bool  // the test has expected it
	reason error // why a channel ended, for phx_close and phx_error; its client does not get it
}

// kind is the direction of an entry.
type kind uint8

const (
	sent     kind = iota // by the client
	received             // by the client, or a Listener
	noted                // seen by neither
)

// addLocked appends an entry and wakes those that wait for one.
func (e *Endpoint) addLocked(add *entry) {
	add.number = len(e.entries)
	e.entries = append(e.entries, add)
	e.changedLocked()
}

// noteLocked adds an entry for an event that no message tells, such as the error of a callback.
func (e *Endpoint) noteLocked(c *Client, topic, note string) {
	e.addLocked(&entry{client: c, kind: noted, message: &message{Topic: topic}, note: note})
}

// latest bounds the entries that a failure shows.
const latest = 200

// transcript returns the latest entries as text, for a failure.
func (e *Endpoint) transcript() string {
	e.mu.Lock()
	all := len(e.entries)
	shown := make([]entry, 0, latest)
	for _, it := range e.entries[max(0, all-latest):] {
		shown = append(shown, *it)
	}
	e.mu.Unlock()
	if all == 0 {
		return "Nothing was sent or received."
	}
	width := 0
	for _, it := range shown {
		width = max(width, len(it.who()))
	}
	var b strings.Builder
	b.WriteString("What was sent (->) and received (<-), in order; a * marks those that the test has expected")
	if len(shown) < all {
		fmt.Fprintf(&b, "; the last %d of %d", latest, all)
	}
	b.WriteString(":")
	for _, it := range shown {
		fmt.Fprintf(&b, "\n\t%-*s %s", width, it.who(), it.String())
	}
	return b.String()
}

// who names the client of an entry.
func (e *entry) who() string {
	if e.client == nil {
		return "listener"
	}
	return e.client.name()
}

// String returns an entry as a line of the transcript.
func (e *entry) String() string {
	var b strings.Builder
	switch {
	case e.kind == noted:
		b.WriteString(" !   ")
	case e.kind == sent:
		b.WriteString("->   ")
	case e.taken:
		b.WriteString("<- * ")
	default:
		b.WriteString("<-   ")
	}
	if e.Topic != "" {
		b.WriteString(e.Topic + " ")
	}
	switch {
	case e.kind == noted:
		b.WriteString(e.note)
	case e.Event == protocol.EventReply:
		fmt.Fprintf(&b, "reply to #%s: %s %s", e.Ref, e.Status, show(e.Payload))
	case e.kind == sent:
		fmt.Fprintf(&b, "#%s %s %s", e.Ref, e.Event, show(e.Payload))
	default:
		b.WriteString(e.Event + " " + show(e.Payload))
	}
	if e.reason != nil {
		fmt.Fprintf(&b, "  (%v)", e.reason)
	}
	return b.String()
}

// over says why no more messages can come. The zero over says that they can. String is called without
// the lock, since the Error method of a reason may be the application's.
type over struct {
	text   string
	reason error
}

func (o over) String() string {
	if o.reason == nil {
		return o.text
	}
	return o.text + ": " + explain(o.reason)
}

// explain returns the text of a reason, and for a panic its stack.
func explain(reason error) string {
	p, ok := errors.AsType[*bennu.PanicError](reason)
	if !ok {
		return fmt.Sprint(reason)
	}
	return fmt.Sprintf("%v\n\t\t%s", reason, strings.Join(callers(string(p.Stack)), "\n\t\t"))
}

// callers returns the lines of a stack from the call that panicked down to the function of bennu that
// calls callbacks.
func callers(stack string) []string {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") && i+2 < len(lines) {
			lines = lines[i+2:]
			break
		}
	}
	below := false // a function of the application was seen
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "\t"), strings.HasPrefix(line, "runtime."):
		case !strings.HasPrefix(line, "github.com/bennu-go/bennu."):
			below = true
		case below:
			return lines[:i]
		}
	}
	return lines
}
