package websocket

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestFloodgate has more come than there are places. They pass in order, and one that never
// leaves keeps the others for gateTime.
func TestFloodgate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newFloodgate()
		places := cap(g.places)
		for range places {
			g.enter()
		}
		if !g.full() {
			t.Error("there is room")
		}
		passed := make(chan int, 3)
		began := time.Now()
		for i := range 3 {
			go func() {
				g.enter()
				passed <- i
			}()
			synctest.Wait()
		}
		next := func(want int, after time.Duration) {
			t.Helper()
			if got := <-passed; got != want || time.Since(began) != after {
				t.Errorf("%d passed after %v, want %d after %v", got, time.Since(began), want, after)
			}
		}
		g.leave()
		next(0, 0)
		g.leave()
		next(1, 0)
		next(2, 2*gateTime) // the first wait has seen others leave
		for range places + 1 {
			g.leave() // one of them had lost its place
		}
		if len(g.places) != 0 {
			t.Errorf("%d places are taken", len(g.places))
		}
	})
}
