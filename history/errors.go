package history

import (
	"errors"
	"fmt"
)

// Errors of publishing to a kept topic, and of a Store. After any of them no subscriber on any node got
// the message of this call, except after ErrUnknown, when that is not known.
var (
	// ErrUnavailable means that the store was not asked, or did not take the message.
	ErrUnavailable = errors.New("history: the store is not available")
	// ErrUnknown means that the store did not answer in time. A message that was published with a Key
	// may be published with it again, on any node: it comes once.
	ErrUnknown = errors.New("history: it is not known whether the store has the message")
	// ErrConflict means that another message was published after the offset of After. The error is a
	// *Conflict.
	ErrConflict = errors.New("history: another message was published meanwhile")
	// ErrTooLarge means that the message is larger than the store accepts, or than Bytes of its Topic.
	ErrTooLarge = errors.New("history: the message is too large for the store")
	// ErrBusy means that too many messages of this node wait for the store: 1,024, or 8 MiB of
	// payloads. The store in memory never makes them wait.
	ErrBusy = errors.New("history: too many messages wait for the store")
	// ErrNotKept means that no history is kept of the topic.
	ErrNotKept = errors.New("history: the topic is not kept")
)

// Conflict is an ErrConflict with the head of the topic.
type Conflict struct{ Head Offset }

// Error says where the newest message of the topic is.
func (c *Conflict) Error() string {
	if c.Head.IsZero() {
		return ErrConflict.Error() + "; the topic has no history now"
	}
	return ErrConflict.Error() + "; the newest is at " + c.Head.String()
}

func (c *Conflict) Unwrap() error { return ErrConflict }

// notKept is ErrNotKept for a topic.
func notKept(topic string) error {
	return fmt.Errorf("%w: %q matches no Pattern of history.Options.Topics", ErrNotKept, topic)
}
