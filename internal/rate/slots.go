package rate

import (
	"context"
	"sync"
	"time"
)

// Slots bounds how many callers do something at one time. A caller that finds no free slot waits a
// moment, so that a short burst passes. The zero Slots has no limit. All methods may be called from
// any goroutine.
type Slots struct {
	free chan struct{} // nil: no limit
	wait time.Duration
}

// NewSlots returns n slots, for which Acquire waits at most so long. A negative n means no limit.
func NewSlots(n int, wait time.Duration) *Slots {
	if n < 0 {
		return &Slots{}
	}
	return &Slots{free: make(chan struct{}, n), wait: wait}
}

// Acquire takes a slot. It reports false if none was free in time, or ctx ended.
func (s *Slots) Acquire(ctx context.Context) bool {
	if s.free == nil {
		return true
	}
	select {
	case s.free <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case s.free <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Release gives a slot back.
func (s *Slots) Release() {
	if s.free != nil {
		<-s.free
	}
}

// Counts counts something by key, up to a bound. The zero value is ready. All methods may be called
// from any goroutine.
type Counts struct {
	mu sync.Mutex
	m  map[string]int
}

// Add counts one more for key, unless it has n already: then it reports false. A negative n means
// no limit.
func (c *Counts) Add(key string, n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n >= 0 && c.m[key] >= n {
		return false
	}
	if c.m == nil {
		c.m = make(map[string]int)
	}
	c.m[key]++
	return true
}

// Of returns the count of key.
func (c *Counts) Of(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[key]
}

// Remove undoes one Add for key.
func (c *Counts) Remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m[key]--; c.m[key] <= 0 {
		delete(c.m, key)
	}
}

// Len returns the number of keys whose count is not 0.
func (c *Counts) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.m)
}
