package redispubsub

import (
	"testing"
	"time"
)

func TestPauses(t *testing.T) {
	var p pauses
	const ms = time.Millisecond
	for i, step := range []struct {
		lasted time.Duration // of the session before; -1 is none
		want   time.Duration
	}{
		{-1, 100 * ms}, {-1, 200 * ms}, {-1, 400 * ms}, {-1, 800 * ms}, {-1, 1000 * ms}, {-1, 1000 * ms},
		{time.Minute, 100 * ms}, {300 * ms, 200 * ms}, {300 * ms, 400 * ms}, {steady, 800 * ms}, {steady + 1, 100 * ms},
	} {
		if step.lasted >= 0 {
			p.ended(step.lasted)
		}
		if got := p.next(); got != step.want {
			t.Errorf("pause %d is %v, want %v", i, got, step.want)
		}
	}
}
