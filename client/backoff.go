package client

import (
	"math/rand/v2"
	"time"
)

// delays has the delay before the first try, the second, and so on. The last one holds for all further
// tries.
type delays []time.Duration

// The tables of phoenix.js.
var (
	reconnectTable = delays{
		10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
	}
	rejoinTable = delays{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}
)

// at returns the delay before a try, counted from 1.
func (t delays) at(try int) time.Duration { return t[min(max(try, 1), len(t))-1] }

// after returns the delay before a try, changed at random by up to a quarter in either direction.
func (t delays) after(try int) time.Duration {
	d := t.at(try)
	return d - d/4 + rand.N(d/2+1)
}
