package history

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Query says which messages of a topic to read, of all events. At most one of After, Before, Last and Since is set;
// without one, the oldest are read. A page has fewer messages than asked for, and More set, if their
// payloads have more than 4 MiB.
type Query struct {
	After  Offset    // the messages after it, oldest first
	Before Offset    // the messages just before it, oldest first, for paging up
	Last   int       // the newest, at most 1,000
	Since  time.Time // those that were published then or later, on the clock of the store
	Limit  int       // at most 1,000; default 100, or with Last as many as that
}

// Page is a part of the history of a topic.
type Page struct {
	Messages []Message
	More     bool   // further messages follow, or with Before and Last precede
	Head     Offset // of the newest message of the topic; zero if it has no history
	Gone     bool   // After or Before is not in the history any more, or of another one; there are no Messages
}

// Message is one message of the history.
type Message struct {
	Offset  Offset
	Event   string
	Payload []byte // must not be changed
	Binary  bool   // Payload is not JSON text
	Time    time.Time
}

// Bounds of a page. pageBytes keeps one call from copying all of a topic, whose Bytes may be large.
const (
	defaultLimit = 100
	maxLimit     = 1000
	pageBytes    = 4 << 20
)

// Read reads the history of a topic; a nil q is the zero Query. The error is ErrNotKept,
// ErrUnavailable, or about the query.
func (l *Log) Read(ctx context.Context, topic string, q *Query) (Page, error) {
	if q == nil {
		q = new(Query)
	}
	limit, err := q.check()
	if err != nil {
		return Page{}, err
	}
	if l.kept(topic) == nil {
		return Page{}, notKept(topic)
	}
	if err := l.begin(); err != nil {
		return Page{}, err
	}
	defer l.tasks.Done()
	r := &reading{source{l}, ctx, topic, limit}
	// check has made sure that one of them is set at most.
	switch {
	case !q.After.IsZero():
		return r.after(q.After)
	case !q.Before.IsZero():
		return r.before(q.Before)
	case q.Last > 0:
		return r.last()
	case !q.Since.IsZero():
		return r.since(q.Since)
	}
	return r.oldest()
}

// check returns how many messages to read at most, or an error that says what to write instead.
func (q *Query) check() (limit int, err error) {
	ways := 0
	for _, set := range []bool{!q.After.IsZero(), !q.Before.IsZero(), q.Last != 0, !q.Since.IsZero()} {
		if set {
			ways++
		}
	}
	switch {
	case ways > 1:
		return 0, errors.New("history: a query has one of After, Before, Last and Since; make two queries")
	case q.Limit < 0 || q.Limit > maxLimit:
		return 0, fmt.Errorf("history: Limit of a query is %d; use 1 to %d, or 0 for the default", q.Limit, maxLimit)
	case q.Last < 0 || q.Last > maxLimit:
		return 0, fmt.Errorf("history: Last of a query is %d; use 1 to %d", q.Last, maxLimit)
	case q.Limit == 0 && q.Last > 0:
		return q.Last, nil
	case q.Limit == 0:
		return defaultLimit, nil
	case q.Last > 0:
		return min(q.Limit, q.Last), nil
	}
	return q.Limit, nil
}
