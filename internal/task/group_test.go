package task

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestWaitReturnsWhenAllHaveEnded(t *testing.T) {
	var g Group
	var ran atomic.Int64
	for range 100 {
		g.Go(func() {
			g.Go(func() { ran.Add(1) })
			ran.Add(1)
		})
	}
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ran.Load() != 200 || g.Len() != 0 {
		t.Fatalf("ran %d goroutines, %d left; want 200 and 0", ran.Load(), g.Len())
	}
	if err := g.Wait(t.Context()); err != nil {
		t.Fatalf("a second wait: %v", err)
	}
}

func TestWaitGivesUpWithItsContext(t *testing.T) {
	var g Group
	release := make(chan struct{})
	g.Go(func() { <-release })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait = %v, want context.Canceled", err)
	}
	close(release)
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestManyWaiters(t *testing.T) {
	var g, waiters Group
	release := make(chan struct{})
	g.Go(func() { <-release })
	for range 10 {
		waiters.Go(func() {
			if err := g.Wait(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	if err := waiters.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// deep stands for a callback: it needs about 4 KiB of stack, over many frames.
type deep struct{ done chan struct{} }

func (d deep) Run() {
	descend(40)
	d.done <- struct{}{}
}

//go:noinline
func descend(n int) int {
	var frame [64]byte
	if n > 0 {
		frame[n] = byte(descend(n - 1))
	}
	return int(frame[n])
}

// BenchmarkStart is a goroutine that does as much as a small callback, against one
// that was not made room for.
func BenchmarkStart(b *testing.B) {
	r := deep{make(chan struct{}, 1)}
	b.Run("group", func(b *testing.B) {
		var g Group
		for b.Loop() {
			g.Start(r)
			<-r.done
		}
	})
	b.Run("go", func(b *testing.B) {
		for b.Loop() {
			go r.Run()
			<-r.done
		}
	})
}
