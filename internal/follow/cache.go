package follow

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// leastCache is the smallest bound of a cache. With less, a page could go before it was used.
const leastCache = 1 << 20

// cache counts the entries in memory of all topics, and removes those that were not used for the longest
// time when they are too many. They count without a common lock, so it
// begins to remove a little before the bound is reached.
type cache struct {
	all            *Followers
	entries, bytes atomic.Int64
	evicting       atomic.Bool
}

// limit is the bound in bytes.
func (c *cache) limit() int64 { return int64(max(c.all.o.CacheBytes, leastCache)) }

// add counts entries that came or, with negative numbers, went. It removes others if need be.
func (c *cache) add(entries, bytes int) {
	c.entries.Add(int64(entries))
	if now := c.bytes.Add(int64(bytes)); bytes > 0 && now > c.limit()*15/16 && c.evicting.CompareAndSwap(false, true) {
		c.all.tasks.Start(c)
	}
}

// full reports whether there is no room at all.
func (c *cache) full() bool { return c.bytes.Load() > c.limit() }

// use is a piece in memory, with the time of its last use.
type use struct {
	follower *follower
	run      *run // of old, or nil for the ring
	used     int64
	rank     int // those of a lower rank go first
}

// Run implements task.Runner. It removes what was used least lately, until an eighth is free.
func (c *cache) Run() {
	defer c.evicting.Store(false)
	var uses []use
	for _, f := range c.all.list() {
		uses = f.uses(uses)
	}
	slices.SortFunc(uses, func(a, b use) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.used, b.used))
	})
	for _, u := range uses {
		// Others add and remove entries meanwhile.
		excess := c.bytes.Load() - c.limit()*7/8
		if excess <= 0 || c.all.ctx.Err() != nil {
			return
		}
		u.follower.evict(u, int(excess))
	}
}
