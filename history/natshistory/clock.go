package natshistory

import (
	"sync/atomic"
	"time"
)

// clock knows how far the clock of the server is ahead of that of this node. Age is measured on the clock
// of the server, which has set the times of messages, so nodes whose clocks differ keep the same
// messages.
type clock struct {
	ahead atomic.Int64 // nanoseconds
	seen  atomic.Int64 // when it was compared, in nanoseconds of this node's clock
}

// clockTime is how long a comparison of the clocks counts.
const clockTime = time.Minute

// set compares the clocks: the server wrote its time between begin and now. The middle is taken, so the
// fault is half of the round trip at most.
func (c *clock) set(begin, server time.Time) {
	now := time.Now()
	c.ahead.Store(int64(server.Sub(begin.Add(now.Sub(begin) / 2))))
	c.seen.Store(now.UnixNano())
}

// now returns the time on the clock of the server.
func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// stale reports whether the clocks should be compared again.
func (c *clock) stale() bool { return time.Now().UnixNano()-c.seen.Load() > int64(clockTime) }
