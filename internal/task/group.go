// Package task owns goroutines: each is started through a Group, and somebody waits for the Group.
package task

import (
	"context"
	"sync"
	"sync/atomic"
)

// Runner is the work of one goroutine. It is an interface and not a function, so that a value that
// runs again and again needs no closure each time.
type Runner interface{ Run() }

// Group counts goroutines. The zero value is ready. All methods may be called
// from any goroutine; a goroutine of the group may start others.
type Group struct {
	n    atomic.Int64
	mu   sync.Mutex
	idle chan struct{} // closed when n reaches zero; nil while nobody waits
}

// Start runs r in a goroutine of the group. A panic in r is not caught here.
func (g *Group) Start(r Runner) {
	g.Add()
	go g.run(r)
}

func (g *Group) run(r Runner) {
	defer g.Done()
	makeRoom(0)
	r.Run()
}

// makeRoom makes the stack of a new goroutine 8 KiB large. It need only be called, since its frame
// has that size. A goroutine begins with 2 KiB, and work such as decoding JSON outgrows that twice,
// each time deep within calls whose frames must all be copied. That took a sixth of the time of an
// echo.
//
//go:noinline
func makeRoom(n int) byte {
	if n == 0 {
		return 0
	}
	var frame [6 << 10]byte
	for i := range frame {
		frame[i] = byte(i * n)
	}
	return frame[n]
}

// Add counts a goroutine that the caller starts, or other work to wait for. It must be followed by
// Done.
func (g *Group) Add() { g.n.Add(1) }

// Go runs f in a goroutine of the group.
func (g *Group) Go(f func()) { g.Start(function(f)) }

type function func()

func (f function) Run() { f() }

// Done undoes Add.
func (g *Group) Done() {
	if g.n.Add(-1) > 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// Len returns the number of goroutines at this moment.
func (g *Group) Len() int { return int(g.n.Load()) }

// Wait waits for a moment at which no goroutine of the group runs, and returns nil. If ctx ends
// first, it returns its cause.
func (g *Group) Wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		// Done takes the lock after it has counted down. So it either finds the channel made here,
		// or zero is found here.
		if g.idle == nil {
			g.idle = make(chan struct{})
		}
		idle := g.idle
		if g.n.Load() == 0 {
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
