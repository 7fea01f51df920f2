package redispubsub

import (
	"testing"

	"github.com/bennu-go/bennu/internal/redisconn"
)

func TestProbeChannel(t *testing.T) {
	for _, slot := range []int{0, 1, 8000, redisconn.Slots - 1} {
		name, ok := probeChannel("bennu", "a", func(s int) bool { return s == slot })
		if !ok || redisconn.Slot(name) != slot {
			t.Errorf("%q is in slot %d, want %d", name, redisconn.Slot(name), slot)
		}
	}
	if _, ok := probeChannel("bennu", "a", func(int) bool { return false }); ok {
		t.Error("a channel was found where there is none")
	}
}
