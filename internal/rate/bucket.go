// Package rate bounds how often something may happen.
package rate

import "time"

// Bucket is a token bucket: Burst events may happen at once, and PerSecond more in each
// second after that. Its memory is two words, and it has no timer. It is for one
// goroutine at a time.
type Bucket struct {
	tokens float64
	last   time.Duration // on the caller's clock
	filled bool
}

// Take reports whether one more event may happen now. The clock is any that only
// moves forward. A negative burst means no limit.
func (b *Bucket) Take(now time.Duration, burst, perSecond int) bool {
	if burst < 0 {
		return true
	}
	b.refill(now, burst, perSecond)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Wait returns how long it is until Take would succeed.
func (b *Bucket) Wait(now time.Duration, burst, perSecond int) time.Duration {
	if burst < 0 {
		return 0
	}
	b.refill(now, burst, perSecond)
	if b.tokens >= 1 {
		return 0
	}
	return time.Duration((1 - b.tokens) / float64(perSecond) * float64(time.Second))
}

// Full returns how long it is until the whole burst may happen again.
func (b *Bucket) Full(now time.Duration, burst, perSecond int) time.Duration {
	if burst < 0 {
		return 0
	}
	b.refill(now, burst, perSecond)
	missing := (float64(burst) - b.tokens) / float64(perSecond) * float64(time.Second)
	return time.Duration(min(missing, float64(longest)))
}

// longest bounds the result of Full.
const longest = 24 * time.Hour

func (b *Bucket) refill(now time.Duration, burst, perSecond int) {
	if !b.filled {
		b.tokens, b.filled = float64(burst), true
	} else {
		b.tokens = min(float64(burst), b.tokens+(now-b.last).Seconds()*float64(perSecond))
	}
	b.last = now
}
