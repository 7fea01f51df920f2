package rate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBucket(t *testing.T) {
	var b Bucket
	now := time.Duration(0)
	for i := range 100 {
		if !b.Take(now, 100, 20) {
			t.Fatalf("event %d of the burst was refused", i)
		}
	}
	if b.Take(now, 100, 20) {
		t.Fatal("more than the burst passed")
	}
	if w := b.Wait(now, 100, 20); w != 50*time.Millisecond {
		t.Fatalf("Wait = %v, want 50ms", w)
	}
	now += time.Second
	passed := 0
	for b.Take(now, 100, 20) {
		passed++
	}
	if passed != 20 {
		t.Fatalf("%d passed after a second, want 20", passed)
	}
	now += time.Hour
	passed = 0
	for b.Take(now, 100, 20) {
		passed++
	}
	if passed != 100 {
		t.Fatalf("%d passed after an hour, want the burst and no more", passed)
	}
	if !b.Take(now, -1, 0) || b.Wait(now, -1, 0) != 0 {
		t.Fatal("a bucket without a limit refused")
	}
}

func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(2, time.Second)
		ctx := t.Context()
		for range 2 {
			if !s.Acquire(ctx) {
				t.Fatal("a free slot was refused")
			}
		}
		start := time.Now()
		if s.Acquire(ctx) {
			t.Fatal("a third slot was given")
		}
		if waited := time.Since(start); waited != time.Second {
			t.Fatalf("waited %v, want 1s", waited)
		}
		go func() {
			time.Sleep(time.Second / 2) // in the test's own time
			s.Release()
		}()
		if !s.Acquire(ctx) {
			t.Fatal("a slot given back in time was not taken")
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if s.Acquire(ended) {
			t.Fatal("a slot was given after the context's end")
		}
		if unlimited := NewSlots(-1, time.Second); !unlimited.Acquire(ctx) {
			t.Fatal("slots without a limit refused")
		} else {
			unlimited.Release()
		}
	})
}

func TestCounts(t *testing.T) {
	var c Counts
	for i, want := range []bool{true, true, false} {
		if got := c.Add("a", 2); got != want {
			t.Fatalf("Add number %d = %v, want %v", i+1, got, want)
		}
	}
	if c.Of("a") != 2 || c.Of("b") != 0 || c.Len() != 1 {
		t.Fatalf("a has %d, b %d", c.Of("a"), c.Of("b"))
	}
	if !c.Add("b", 2) || !c.Add("a", -1) {
		t.Fatal("the counts are wrong")
	}
	for range 3 {
		c.Remove("a")
	}
	c.Remove("b")
	if c.Len() != 0 {
		t.Fatalf("%d keys are left", c.Len())
	}
}
