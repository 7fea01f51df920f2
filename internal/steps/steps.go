// Package steps waits for something in several short steps instead of one long one. A time in which the
// whole process stood still, as on a suspended machine, then uses up one step and not the whole limit.
package steps

import "time"

// Until calls done until it returns true, count times at most, and reports whether it did. done waits
// for up to step each time. The whole wait takes about count times step.
func Until(count int, step time.Duration, done func(step time.Duration) bool) bool {
	for range count {
		if done(step) {
			return true
		}
	}
	return false
}
