package cluster

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// counter publishes the numbers of one topic, each until some node has stored it.
type counter struct {
	keepers *keepers
	topic   string
	every   time.Duration

	mu      sync.Mutex
	last    int          // number that is stored
	with    int          // restarts of the broker when the next number was tried first
	unsure  map[int]bool // numbers that may have been stored twice: the broker has forgotten what it had
	retries int
	slowest time.Duration
}

// run publishes until ctx ends.
func (c *counter) run(ctx context.Context) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.next()
		case <-ctx.Done():
			return
		}
	}
}

// next publishes one number. A node may be gone before it answers; then the next one is asked, with the
// same key.
func (c *counter) next() {
	c.mu.Lock()
	began, restarts := time.Now(), c.keepers.restarts()
	n := c.last + 1
	c.with = restarts
	c.mu.Unlock()
	for tries, i := 0, rand.IntN(len(c.keepers.nodes)); ; tries, i = tries+1, i+1 {
		node := c.keepers.nodes[i%len(c.keepers.nodes)]
		_, err := ask[struct{}](node.control, "keep", keeping{c.topic, n})
		if err != nil {
			lasts(20 * time.Millisecond)
			continue
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last = n
		c.retries += tries
		c.slowest = max(c.slowest, time.Since(began))
		// It may have got through the first time, and have reached clients, before the broker forgot it.
		if tries > 0 && c.keepers.restarts() != restarts {
			c.unsure[n] = true
		}
		return
	}
}

// isUnsure reports whether a number may come twice.
func (c *counter) isUnsure(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsure[n] || n > c.last && c.keepers.restarts() != c.with
}

// published is the last number that is stored.
func (c *counter) published() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
