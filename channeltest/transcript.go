package channeltest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/wire"
)

// entry is one thing that happened, in the order of all of an endpoint.
type entry struct {
	client *Client // nil for a broadcast to a Listener
	kind   kind
	*message
	note   string
	number int
	taken  bool  // the test has asked for it
	reason error // of an end, as the client does not know it
}

type kind uint8

const (
	sent     kind = iota // by the client
	received             // by the client, or a Listener
	noted                // what neither side sees
)

// addLocked keeps an entry and wakes those who wait for it.
func (e *Endpoint) addLocked(add *entry) {
	add.number = len(e.entries)
	e.entries = append(e.entries, add)
	e.changedLocked()
}

func (e *Endpoint) noteLocked(c *Client, topic, note string) {
	e.addLocked(&entry{client: c, kind: noted, message: &message{Topic: topic}, note: note})
}

// latest bounds how much a failure message shows.
const latest = 200

// transcript is what happened, for a failure message.
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
	b.WriteString("What was sent (->) and received (<-), in order; those asked for already have a *")
	if len(shown) < all {
		fmt.Fprintf(&b, "; the last %d of %d", latest, all)
	}
	b.WriteString(":")
	for _, it := range shown {
		fmt.Fprintf(&b, "\n\t%-*s %s", width, it.who(), it.String())
	}
	return b.String()
}

func (e *entry) who() string {
	if e.client == nil {
		return "listener"
	}
	return e.client.name
}

// String is an entry as a line of the transcript.
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
	case e.Event == wire.EventReply:
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

// over says why nothing more can come; the zero over, that it can. An error is text only
// when the lock is given back, as its methods are the application's.
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

// explain is a reason, with the stack of a panic.
func explain(reason error) string {
	p, ok := errors.AsType[*bennu.PanicError](reason)
	if !ok {
		return fmt.Sprint(reason)
	}
	return fmt.Sprintf("%v\n\t\t%s", reason, strings.Join(callers(string(p.Stack)), "\n\t\t"))
}

// callers are the lines of a stack from the call that panicked down to what runs every
// callback.
func callers(stack string) []string {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") && i+2 < len(lines) {
			lines = lines[i+2:]
			break
		}
	}
	below := false // of a function that is the application's
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
