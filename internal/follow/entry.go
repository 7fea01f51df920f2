package follow

import (
	"sync"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// Position is a place in the log of a topic. Whoever is there has everything up to the entry with
// this offset.
type Position struct {
	Epoch  string
	Offset uint64
}

// Entry is one message of a log. All subscribers share it, and it must not be changed.
type Entry struct {
	*pubsub.Message           // its Place is never nil
	Time            time.Time // when the store took it, on the clock of the store; zero if it came from another node

	mu   sync.Mutex
	memo any
}

// Position returns the place that a subscriber has reached with e.
func (e *Entry) Position() Position { return Position{e.Place.Epoch, e.Place.Offset} }

// Memo returns the value that all users of the entry share, such as its encoded frames. The first
// call makes it.
func (e *Entry) Memo(make func() any) any {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.memo == nil {
		e.memo = make()
	}
	return e.memo
}
