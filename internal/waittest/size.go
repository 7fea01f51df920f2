package waittest

import (
	"os"
	"testing"
	"time"
)

// Full says that tests which have a small size for every day run at their full size. Only then
// are times asserted: it is run by hand, on a machine that does nothing else.
var Full = os.Getenv("BENNU_FULL") == "1"

// Sized is the size of a test: small for every day, or large.
func Sized[T any](small, large T) T {
	if Full {
		return large
	}
	return small
}

// AtMost asserts a figure at full size, and logs it at any.
func AtMost(t testing.TB, what string, got, most time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, got.Round(time.Microsecond))
	if Full && got > most {
		t.Errorf("%s: %v, want at most %v", what, got, most)
	}
}
