// Package heaptest measures the heap, for tests of what is kept.
package heaptest

import (
	"runtime"
	"testing"
)

// Live collects garbage and returns the bytes of the heap that are in use after that.
func Live() int {
	runtime.GC()
	runtime.GC() // what a sync.Pool had goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Keeps fills a bound and fails the test when the heap has grown by more than that and a fifth,
// or by so little that fill has not reached it.
func Keeps(t testing.TB, bound int, fill func()) {
	t.Helper()
	base := Live()
	fill()
	got := Live() - base
	t.Logf("heap of %d KiB, the bound is %d KiB", got>>10, bound>>10)
	if got > bound+bound/5 {
		t.Errorf("heap of %d, and the bound is %d", got, bound)
	}
	if got < bound/3 {
		t.Errorf("heap of %d, and the bound is %d: it is not filled", got, bound)
	}
}
