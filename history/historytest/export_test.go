package historytest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// Names returns the names of the checks.
func Names() (names []string) {
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

// Check runs one check, whose failures are no failures of t, and returns them.
func Check(t testing.TB, name string, newHarness func(t testing.TB) *Harness) (failures []string) {
	t.Helper()
	for i := range checks {
		if checks[i].name != name {
			continue
		}
		r := &recorder{TB: t}
		apart(func() { checks[i].run(r, newHarness) })
		for len(r.cleanups) > 0 {
			last := len(r.cleanups) - 1
			f := r.cleanups[last]
			r.cleanups = r.cleanups[:last]
			apart(f)
		}
		if r.skipped {
			t.Fatalf("the check %s was skipped", name)
		}
		return r.failures
	}
	t.Fatalf("there is no check %s", name)
	return nil
}

// apart calls f in a goroutine of its own, which Fatal ends.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// recorder is a test whose failures are none.
type recorder struct {
	testing.TB

	mu       sync.Mutex
	failures []string
	cleanups []func()
	skipped  bool
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%v", args) }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}

func (r *recorder) Helper() {}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
