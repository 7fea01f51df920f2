package follow

import (
	"log/slog"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// Position is a place in the log of a topic. Whoever is there has everything up to the entry with
// this offset.
type Position struct {
	Epoch  string
	Offset uint64
}

// Entry is one message of a log. All subscribers share it, and it must not be changed. If its Event is
// "", the message is not sound and must not be sent to anybody; whoever gets it has passed its place.
type Entry struct {
	*pubsub.Message // its Place is never nil

	memo atomic.Value
}

// Position returns the place that a subscriber has reached with e.
func (e *Entry) Position() Position { return Position{e.Place.Epoch, e.Place.Offset} }

// Memo holds what all users of the entry share, such as its encoded frames. All its values have the same
// type.
func (e *Entry) Memo() *atomic.Value { return &e.memo }

// record is an entry with its message and place in one piece of memory.
type record struct {
	Entry
	message pubsub.Message
	place   pubsub.Place
}

// newRecord returns a record with a copy of m, which has the given topic and place.
func newRecord(topic string, m *pubsub.Message, place *pubsub.Place) *record {
	r := &record{message: *m, place: *place}
	r.message.Topic = topic
	r.message.Place = &r.place
	r.Message = &r.message
	return r
}

// NewEntry returns an entry with a copy of m, which has the given topic and place, in one piece of memory. A
// Source makes its entries by this.
func NewEntry(topic string, m *pubsub.Message, place *pubsub.Place) *Entry {
	return &newRecord(topic, m, place).Entry
}

// unsound returns the entry that stands for e, whose message cannot be sent.
func unsound(topic string, e *Entry) *Entry {
	place := *e.Place
	place.From = ""
	return NewEntry(topic, new(pubsub.Message), &place)
}

// checked returns e, or the entry that stands for it if its message is not sound. An entry of another
// node or of the store is checked once, before it enters a ring, because others may write there.
func (f *follower) checked(e *Entry) *Entry {
	if sound(e.Message) {
		return e
	}
	f.all.o.Book.Say(notice.HistoryUnsound, slog.String("topic", f.name), notice.Foreign("event", e.Event),
		slog.Int("bytes", len(e.Payload)))
	return unsound(f.name, e)
}

// The bounds of a message from the store or from another node.
const (
	maxPayload = 64 << 20
	maxFrom    = 64
)

// sound reports whether an application could have broadcast m.
func sound(m *pubsub.Message) bool {
	return len(m.Payload) <= maxPayload && len(m.Place.From) <= maxFrom && event.Sound(m.Event, m.Payload, m.Binary)
}

// overhead is what an entry takes in memory beside its payload, about.
const overhead = 256

// size is the memory of an entry, about. The frames of its memo are not counted.
func (e *Entry) size() int { return len(e.Payload) + overhead }
