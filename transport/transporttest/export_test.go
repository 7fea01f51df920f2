package transporttest

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Check runs one check, whose failures are no failures of t, and returns them.
func Check(t *testing.T, name string, bubble bool, newHarness func(testing.TB) *Harness) (failures []string) {
	t.Helper()
	for _, c := range checks() {
		if c.name != name {
			continue
		}
		r := &recorder{TB: t}
		run := func(t *testing.T) {
			r.TB = t
			done := make(chan struct{})
			go func() { // which Fatal ends
				defer close(done)
				c.run(r, newHarness, bubble, new(atomic.Bool))
			}()
			<-done
			r.cleanUp()
		}
		if bubble {
			synctest.Test(t, run)
		} else {
			run(t)
		}
		if r.skipped {
			t.Fatalf("the check %s was skipped", name)
		}
		return r.failures
	}
	t.Fatalf("there is no check %s", name)
	return nil
}

// recorder is a test whose failures are none.
type recorder struct {
	testing.TB

	mu       sync.Mutex
	failures []string
	cleanups []func()
	skipped  bool
}

// Errorf implements testing.TB.
func (r *recorder) Errorf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }

// Fatalf implements testing.TB.
func (r *recorder) Fatalf(format string, args ...any) {
	r.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// Fatal implements testing.TB.
func (r *recorder) Fatal(args ...any) { r.Fatalf("%v", args) }

func (r *recorder) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, text)
}

// Failed implements testing.TB.
func (r *recorder) Failed() bool { return false } // no log is wanted

// Skip implements testing.TB.
func (r *recorder) Skip(...any) { r.Skipf("") }

// Skipf implements testing.TB.
func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}

// Helper implements testing.TB.
func (r *recorder) Helper() {}

// Cleanup implements testing.TB.
func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// cleanUp calls the functions of Cleanup, each in a goroutine of its own, which Fatal may end.
func (r *recorder) cleanUp() {
	for {
		r.mu.Lock()
		n := len(r.cleanups)
		if n == 0 {
			r.mu.Unlock()
			return
		}
		f := r.cleanups[n-1]
		r.cleanups = r.cleanups[:n-1]
		r.mu.Unlock()
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
}
