package clients

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A cutter passes TCP connections on and cuts each after a random time: between packets, inside a
// frame, or after a silence in which everything is lost.
type cutter struct {
	addr, target string
	least, most  time.Duration // how long a connection lives; most 0 is for ever
	delay        time.Duration // of each direction

	cuts  [ways]atomic.Int64
	mu    sync.Mutex
	links map[*cutLink]bool
	over  bool
	wg    sync.WaitGroup
}

// way is how a connection is cut.
type way int

const (
	between way = iota
	inside
	silence
	ways
)

// start listens until the test ends.
func (c *cutter) start(t *testing.T) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr, c.links = ln.Addr().String(), map[*cutLink]bool{}
	c.wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.pass(near) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		c.mu.Lock()
		c.over = true
		for l := range c.links {
			l.reset()
		}
		c.mu.Unlock()
		c.wg.Wait()
	})
	return c
}

// String says how often connections were cut.
func (c *cutter) String() string {
	return fmt.Sprintf("%d cuts between packets, %d inside a frame, %d after a silence",
		c.cuts[between].Load(), c.cuts[inside].Load(), c.cuts[silence].Load())
}

func (c *cutter) pass(near net.Conn) {
	far, err := net.Dial("tcp", c.target)
	if err != nil {
		near.Close()
		return
	}
	l := &cutLink{cutter: c, near: near, far: far}
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		l.reset()
		return
	}
	c.links[l] = true
	c.mu.Unlock()
	if c.most > 0 {
		way := way(rand.IntN(int(ways)))
		timer := time.AfterFunc(c.least+rand.N(c.most-c.least), func() { l.cut(way) })
		defer timer.Stop()
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(near, far, false) })
	both.Go(func() { l.pump(far, near, true) })
	both.Wait()
	c.mu.Lock()
	delete(c.links, l)
	c.mu.Unlock()
}

// A cutLink is one connection of a cutter.
type cutLink struct {
	cutter    *cutter
	near, far net.Conn
	within    atomic.Bool // the next data of the server is cut
	mute      atomic.Bool // all data is lost
}

func (l *cutLink) cut(w way) {
	switch w {
	case between:
		l.cutter.cuts[between].Add(1)
		l.reset()
	case inside:
		l.within.Store(true)
	case silence:
		l.mute.Store(true)
		time.AfterFunc(l.cutter.least, func() {
			l.cutter.cuts[silence].Add(1)
			l.reset()
		})
	}
}

// reset ends the connection at both sides, as a failing network would.
func (l *cutLink) reset() {
	for _, c := range []net.Conn{l.near, l.far} {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

// pump passes one direction on, each piece after the delay.
func (l *cutLink) pump(from, to net.Conn, down bool) {
	defer l.reset()
	type piece struct {
		data []byte
		due  time.Time
	}
	pieces := make(chan piece, 256)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer close(pieces)
	writer.Go(func() {
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			to.Write(p.data)
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		data := buf[:n]
		switch {
		case l.mute.Load():
			data = nil
		case down && n > 1 && l.within.Load():
			data, err = data[:1+rand.IntN(n-1)], net.ErrClosed
			l.cutter.cuts[inside].Add(1)
		}
		if len(data) > 0 {
			pieces <- piece{append([]byte(nil), data...), time.Now().Add(l.cutter.delay)}
		}
		if err != nil {
			return
		}
	}
}
