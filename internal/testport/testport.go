// Package testport finds TCP ports where nothing listens yet: for servers that tests kill
// and start again at the same address, and for addresses where nobody must answer.
//
// A port that the system picked and that was closed again is no good for that: the system
// may give it to any listener or connection that is made next, even to who is trying to
// connect to that very port, who then talks to himself.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// The ports are below those that systems pick from. The tests of several packages run at
// one time, so each process has a block of its own: it listens at the first port of it.
const (
	first  = 12_000
	blocks = 40
	block  = 500
)

var (
	next atomic.Int64
	own  = sync.OnceValue(takeBlock)
)

// ports are those of a block.
type ports struct {
	first int
	held  net.Listener // never closed
}

func init() { next.Store(rand.Int64N(block)) }

// takeBlock takes a block that no other process has.
func takeBlock() ports {
	begin := rand.IntN(blocks)
	for i := range blocks {
		port := first + (begin+i)%blocks*block
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return ports{port, ln}
		}
	}
	return ports{first: first + begin*block} // shared with another one
}

// Addr is 127.0.0.1 with a port that is free.
func Addr(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Free(t))
}

// Free is a port of 127.0.0.1 on which nobody listens, and that this process was not
// given lately.
func Free(t testing.TB) int {
	t.Helper()
	for range block {
		port := own().first + int(next.Add(1)%block)
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return 0
}
