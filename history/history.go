package history

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// Log keeps and follows the topics of one node. All methods may be called from any goroutine. Make it
// with New, and pass it to an endpoint in EndpointOptions.History.
type Log struct{}

// New makes a Log on the PubSub of an endpoint; ctx bounds the start. Close it before the PubSub, for
// example by Endpoint.OnShutdown. A mistake in a pattern panics with the place of the call.
func New(ctx context.Context, ps *pubsub.PubSub, opts *Options) (*Log, error) {
	panic("history: not written yet")
}

// Close ends the Log and its store. Broadcasts on kept topics then return ErrUnavailable.
func (l *Log) Close(ctx context.Context) error { panic("history: not written yet") }

// Query says which messages of a topic to read. At most one of After, Before, Last and Since is set;
// without one, the oldest are read. Limit is at most 1,000; the default is 100.
type Query struct {
	After  Offset    // the messages after it, oldest first
	Before Offset    // the messages just before it, oldest first, for paging up
	Last   int       // the newest
	Since  time.Time // those that were published then or later, on the clock of the store
	Limit  int
}

// Page is a part of the history of a topic.
type Page struct {
	Messages []Message
	More     bool   // further messages follow, or with Before and Last precede
	Head     Offset // of the newest message of the topic
	Gone     bool   // After or Before is not in the history any more; there are no Messages
}

// Message is one message of the history.
type Message struct {
	Offset  Offset
	Event   string
	Payload []byte // must not be changed
	Binary  bool   // Payload is not JSON text
	Time    time.Time
}

// Read reads the history of a topic. The error is ErrNotKept, ErrUnavailable, or about the query.
func (l *Log) Read(ctx context.Context, topic string, q *Query) (Page, error) {
	panic("history: not written yet")
}

// Erase forgets the history of a topic and begins a new one. Clients that are joined go on, and are
// told that they have lost their place.
func (l *Log) Erase(ctx context.Context, topic string) error { panic("history: not written yet") }
