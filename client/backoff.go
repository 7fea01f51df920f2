package client

import (
	"math/rand/v2"
	"time"
)

// delays are those before the first, second, ... try. The last is for all further tries, too.
type delays []time.Duration

var (
	reconnectTable = delays{
		10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
	}
	rejoinTable = delays{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}
)

// at is the delay before a try, counted from 1.
func (t delays) at(try int) time.Duration { return t[min(max(try, 1), len(t))-1] }

// after is the delay before a try, changed at random by up to a quarter.
func (t delays) after(try int) time.Duration {
	d := t.at(try)
	return d - d/4 + rand.N(d/2+1)
}
