package cluster

import (
	"fmt"
	"sync"

	"github.com/bennu-go/bennu/pubsub"
)

// number is the payload of an event that is one of a series.
type number struct {
	From string `json:"from"`
	N    int    `json:"n"`
	Pad  string `json:"pad,omitempty"`
}

// numbered is the event that carries one.
const numbered = "numbered"

// count is what came of one publisher.
type count struct {
	First, Last int
	Got         int
	Wrong       string // a number that came twice, or too late
}

// missing is how many did not come, since the first that did.
func (c count) missing() int { return c.Last - c.First + 1 - c.Got }

// tally follows the series of several publishers in one topic. It is also a subscriber
// that wants to be told of gaps.
type tally struct {
	mu   sync.Mutex
	from map[string]count
	gaps int
}

// take notes a number, and returns the one before it of that publisher.
func (y *tally) take(n number) (before int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.from == nil {
		y.from = make(map[string]count)
	}
	c := y.from[n.From]
	before = c.Last
	if c.First == 0 {
		c.First = n.N
	}
	if n.N <= c.Last && c.Wrong == "" {
		c.Wrong = fmt.Sprintf("of %s, %d came after %d", n.From, n.N, c.Last)
	}
	c.Last = max(c.Last, n.N)
	c.Got++
	y.from[n.From] = c
	return before
}

// counts are those of all publishers.
func (y *tally) counts() map[string]count {
	y.mu.Lock()
	defer y.mu.Unlock()
	all := make(map[string]count, len(y.from))
	for from, c := range y.from {
		all[from] = c
	}
	return all
}

func (y *tally) last(from string) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.from[from].Last
}

// Deliver implements pubsub.Subscriber.
func (y *tally) Deliver(d *pubsub.Dispatch) {
	if d.Event == numbered {
		y.take(numberOf(d.Payload))
	}
}

// Gap implements pubsub.GapSubscriber.
func (y *tally) Gap(string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.gaps++
}
