package pace_test

import (
	"math"
	"testing"

	"github.com/bennu-go/bennu/internal/pace"
)

// TestLeastQueue keeps the smallest number for each PubSub.
func TestLeastQueue(t *testing.T) {
	type pubsub struct{ name string }
	a, b := &pubsub{"a"}, &pubsub{"b"}
	for _, step := range []struct {
		told int
		want int64
	}{{5000, 5000}, {8000, 5000}, {3000, 3000}, {3000, 3000}} {
		pace.Queue(a, step.told)
		if got := pace.LeastQueue(a); got != step.want {
			t.Errorf("after %d: %d, want %d", step.told, got, step.want)
		}
	}
	if got := pace.LeastQueue(b); got != math.MaxInt64 {
		t.Errorf("without a queue: %d", got)
	}
	if a.name+b.name != "ab" {
		t.Error("the PubSubs are in use until here")
	}
}
