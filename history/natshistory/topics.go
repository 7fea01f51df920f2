package natshistory

import (
	"context"
	"sync"
	"time"

	"github.com/bennu-go/bennu/history"
)

// topics has what a store knows of topics. It may forget it at any time: the stream has all that is
// needed.
type topics struct {
	mu   sync.Mutex
	have map[string]*topic // by subject
}

// topic is what a store knows of one topic. Who has the turn reads and writes it.
type topic struct {
	turn  chan struct{} // a lock, held while an entry is appended
	users int           // guarded by topics.mu

	last       *record   // newest record, or nil if it is not known; without payload
	seen       time.Time // when it was the newest
	generation uint64    // of the link, then

	numbers map[string]uint64 // last number of each boot that has appended here

	mu     sync.Mutex
	oldest bound // guarded by mu
}

// bound is where the last read has found the oldest kept entry. The next one begins to look there.
type bound struct {
	epoch    string
	keep     history.Keep
	sequence uint64
}

const (
	// topicsKnown bounds the topics that a store remembers while nobody uses them.
	topicsKnown = 16_384
	// bootsKnown bounds the boots whose last number a topic remembers.
	bootsKnown = 64
)

// use returns the topic of a subject, until release.
func (t *topics) use(subject string) *topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.have[subject]
	if one == nil {
		if t.have == nil {
			t.have = make(map[string]*topic)
		}
		if len(t.have) >= topicsKnown {
			t.forgetLocked()
		}
		one = &topic{turn: make(chan struct{}, 1)}
		t.have[subject] = one
	}
	one.users++
	return one
}

// forgetLocked drops some topics that nobody uses. It looks at a sixteenth of them, so that a use costs
// little even if most are in use.
func (t *topics) forgetLocked() {
	tries := topicsKnown / 16
	for subject, one := range t.have {
		if one.users == 0 {
			delete(t.have, subject)
		}
		if tries--; tries == 0 {
			return
		}
	}
}

// release ends the use of a topic.
func (t *topics) release(one *topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one.users--
}

// take acquires the turn. It returns false if ctx ends first. It is not a Mutex, since that could not be
// given up.
func (t *topic) take(ctx context.Context) bool {
	select {
	case t.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// give passes the turn on.
func (t *topic) give() { <-t.turn }

// note records the newest record of the topic, without its payload, which may be large. The turn is held.
func (t *topic) note(r *record, generation uint64) {
	if r != nil {
		short := *r
		short.payload = nil
		r = &short
	}
	t.last, t.seen, t.generation = r, time.Now(), generation
}

// trusted is how long the newest record counts without another look. If the server fails and loses the
// end of the stream, another node may append a record with the same sequence, which an expectation would
// not tell apart. That takes longer.
const trusted = 100 * time.Millisecond

// fresh returns the newest record if it was seen lately.
func (t *topic) fresh(generation uint64) *record {
	if t.last != nil && t.generation == generation && time.Since(t.seen) < trusted {
		return t.last
	}
	return nil
}

// numbered records a number that was appended. Numbers of other nodes' boots are known from records alone. When
// bootsKnown are exceeded, some other boot is forgotten: then the message id tells a doubled entry for KeyTime.
func (t *topic) numbered(boot string, number uint64) {
	if t.numbers == nil {
		t.numbers = make(map[string]uint64)
	}
	if _, known := t.numbers[boot]; !known && len(t.numbers) >= bootsKnown {
		for other := range t.numbers {
			delete(t.numbers, other)
			break
		}
	}
	t.numbers[boot] = max(t.numbers[boot], number)
}
