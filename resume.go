package bennu

import (
	"errors"
	"fmt"

	"github.com/bennu-go/bennu/history"
)

// OffsetForm is how a client gets the offsets of the messages of a channel; see Channel.Offsets.
type OffsetForm uint8

// The forms.
const (
	NoOffsets OffsetForm = iota // not at all
	InRef                       // in the ref of each broadcast, where stock clients hand it to their program
	InPayload                   // as the member _offset of each payload
)

// Resumed is the result of a join for the messages that its client may have missed.
type Resumed uint8

// The results. The zero value is that of a channel whose client gets no offsets, or that has not
// joined yet.
const (
	New       Resumed = iota + 1 // the client had nothing
	Recovered                    // it gets everything that it has missed
	Lost                         // it has missed something that it does not get, and was told so
)

// String returns "new", "recovered", "lost", or "".
func (r Resumed) String() string { return [...]string{"", "new", "recovered", "lost"}[r] }

var errNotInJoin = errors.New("bennu: Resume, Rewind and Offsets of a channel may be called only in its Join")

// Resume makes the client go on after a place that the program knows, for instance from a database,
// whatever the client has sent. The zero Offset means that the client is new. The client gets offsets
// in the ref of each broadcast, unless Offsets says otherwise. If it has joined the topic before on the
// same connection, messages of that join which are still under way may come twice: that is prevented
// only for the position that a client sends as since.
//
// Resume, Rewind and Offsets may be called in Join. The error is history.ErrNotKept if the topic has
// no history that clients can resume from.
func (c *Channel) Resume(o history.Offset) error {
	return c.ask(func(m *keptMore) {
		m.since.kind, m.since.at = sinceAt, positionOf(o)
		if o.IsZero() {
			m.since.kind = sinceNew
		}
	})
}

// Rewind gives the client the newest n messages of the topic first, in place of the number in
// history.Topic.Rewind, if it is new or is told that it has lost messages. They come also to a client
// that has sent no offset. If n is more than the topic keeps, all come, and if it is 0, none.
func (c *Channel) Rewind(n int) error {
	if n < 0 {
		return fmt.Errorf("bennu: Rewind of %d messages; use 0 or more", n)
	}
	return c.ask(func(m *keptMore) { m.rewind = n })
}

// Offsets sets the form in which the client gets the offsets of messages. By default that is the form
// for which it asks with its join, and NoOffsets if it asks for none. A client that gets offsets and
// has sent none is new.
func (c *Channel) Offsets(form OffsetForm) error {
	if form > InPayload {
		return fmt.Errorf("bennu: there is no OffsetForm %d; use InRef, InPayload or NoOffsets", form)
	}
	return c.ask(func(m *keptMore) { m.form, m.formed = form, true })
}

// Resumed returns whether the client was new, or has recovered or lost what it missed, when it joined.
// It is 0 in Join, and for a client that gets neither offsets nor the newest messages.
func (c *Channel) Resumed() Resumed {
	if c.isNil() || c.kept == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.resumed
}

// ask notes what Join wants for its client.
func (c *Channel) ask(set func(*keptMore)) error {
	if c.isNil() {
		return errNilChannel
	}
	if t := c.socket.node.keeps(c.topic); t == nil || t.NoResume || c.kept == nil {
		return c.socket.node.errNotKept(c.topic)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != joining || c.kept.sub != nil {
		return errNotInJoin
	}
	if c.kept.more == nil {
		c.kept.more = &keptMore{rewind: -1}
	}
	set(c.kept.more)
	return nil
}
