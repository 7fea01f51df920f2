// Package testport finds TCP ports for servers that tests kill and start again at the
// same address.
//
// A port that the system picked is no good for that: while nothing listens there, the
// system may give it to any connection that is made, and the server does not get it
// back. It may even give it to who is trying to connect to that very port, who then talks
// to himself.
package testport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// The ports are below those that systems pick from. The tests of several packages run at
// one time, so each process begins in a block of its own, as far as there are blocks.
const (
	first  = 12_000
	blocks = 40
	block  = 500
)

var next atomic.Int64

func init() { next.Store(rand.Int64N(block)) }

// Free is a port of 127.0.0.1 on which nobody listens, and that this process was not
// given lately.
func Free(t testing.TB) int {
	t.Helper()
	for range block {
		port := first + os.Getpid()%blocks*block + int(next.Add(1)%block)
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
