package follow

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnwant has clients that join again and again while the store is away. Nothing of those that have
// given up stays in memory.
func TestUnwant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, nil)
		defer w.close()
		old := w.append(5)
		s := w.join(new(box))
		w.store.fail = func() error { return errAway }
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			for _, p := range []Position{{old[0].Place.Epoch, old[0].Place.Offset}, {"aaaaaaaa", 1}, {old[0].Place.Epoch, 1 << 60}} {
				go func() { _, _, _ = s.Find(ctx, p, 100) }()
			}
			go func() { _, _ = s.Back(ctx, 3) }()
			time.Sleep(300 * time.Millisecond)
			cancel()
		}
		synctest.Wait()
		s.follower.mu.Lock()
		if r := s.follower.reads; r != nil && len(r.fills)+len(r.backs)+len(r.repaired) > 0 {
			t.Errorf("%d, %d and %d wait", len(r.fills), len(r.backs), len(r.repaired))
		}
		s.follower.mu.Unlock()
	})
}
