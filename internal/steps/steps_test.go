package steps

import (
	"testing"
	"time"
)

func TestUntil(t *testing.T) {
	for _, test := range []struct {
		at    int // the call of done that returns true; 0 for none
		calls int
		want  bool
	}{{1, 1, true}, {3, 3, true}, {0, 4, false}} {
		calls := 0
		got := Until(4, time.Second, func(step time.Duration) bool {
			if step != time.Second {
				t.Errorf("the step is %v", step)
			}
			calls++
			return calls == test.at
		})
		if got != test.want || calls != test.calls {
			t.Errorf("done at call %d: %v after %d calls, want %v after %d", test.at, got, calls, test.want, test.calls)
		}
	}
}
