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
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// The ports are below those that systems pick from, which begin at 32768 on most and at 16000
// on some. The tests of several packages run at one time, so each process has a block of its
// own: it listens at the first port of it.
const (
	lowest = 3_000
	usual  = 12_000
	blocks = 40
	most   = 500 // in a block
)

var (
	next atomic.Int64
	own  = sync.OnceValue(takeBlock)
)

// ports are those of a block.
type ports struct {
	first, number int
	held          net.Listener // never closed
}

func init() { next.Store(rand.Int64N(most)) }

// takeBlock takes a block that no other process has.
func takeBlock() ports {
	first, number := spread(picked())
	begin := rand.IntN(blocks)
	for i := range blocks {
		port := first + (begin+i)%blocks*number
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return ports{port, number, ln}
		}
	}
	return ports{first: first + begin*number, number: number} // shared with another one
}

// spread returns where the blocks begin and how large they are.
func spread(picked int) (first, number int) {
	if picked >= usual+blocks*most || picked <= lowest+blocks {
		return usual, most
	}
	return lowest, min(most, (picked-lowest)/blocks)
}

// picked is the first port that this system picks by itself, as far as it says so.
func picked() (port int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if _, scanErr := fmt.Sscan(string(text), &port); err != nil || scanErr != nil {
		return usual + blocks*most
	}
	return port
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
	for range own().number {
		port := own().first + int(next.Add(1))%own().number
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
