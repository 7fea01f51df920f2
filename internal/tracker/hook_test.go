package tracker

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// TestTellFails lets tell panic and end its goroutine: it is called for later changes, and Snapshot and
// Close return.
func TestTellFails(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic":  func() { panic("on request") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			var told atomic.Int64
			tr, err := Start(t.Context(), pubsub.NewLocal(), Options{Logger: quiet}, func(_ *Tracker, d Diff) {
				told.Add(int64(len(d.Joins)))
				fail()
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if _, err := tr.Track("t", Owner(i), "k", nil); err != nil {
					t.Fatal(err)
				}
				waittest.Until(t, "the change is told", func() bool { return told.Load() == int64(i+1) })
			}
			done := make(chan int)
			go func() {
				n := -1
				defer func() { done <- n }()
				if _, err := tr.Track("t", 9, "k", nil); err != nil {
					t.Error(err)
				}
				tr.Snapshot("t", func(list []*Entry) { n = len(list) })
			}()
			<-done // with Goexit perhaps before the list
			tr.Snapshot("t", func(list []*Entry) {
				if len(list) != 6 {
					t.Errorf("%d entries, want 6", len(list))
				}
			})
			if err := tr.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTellBlocks lets tell block while others use the tracker. The clock of the bubble advances, so no call
// waits for a lock.
func TestTellBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, err := Start(t.Context(), pubsub.NewLocal(), Options{Logger: quiet}, func(*Tracker, Diff) {
			time.Sleep(time.Minute)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		start := time.Now()
		if _, err := tr.Track("t", 1, "k", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := tr.Update("t", 1, "k", []byte("{}")); err != nil {
			t.Error(err)
		}
		tr.Untrack("t", 1, "k")
		if n := tr.Count("t") + len(tr.List("t")) + len(tr.Get("t", "k")); n != 0 || time.Since(start) != 0 {
			t.Errorf("%d entries after %v, want none at once", n, time.Since(start))
		}
		tr.Snapshot("t", func([]*Entry) {})
		if took := time.Since(start); took != 2*time.Minute {
			t.Errorf("Snapshot waited for %v, want for two calls of tell: 2m", took)
		}
	})
}
