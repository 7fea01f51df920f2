//go:build !noepoll

package websocket

import (
	"runtime"
	"sync"
)

// backlog is the connections of a poller whose clients send more than it can read in one go.
// A goroutine that exists while there are some reads from them in turn, behind the floodgate,
// and lets everybody else run in between: the poller, which waits for events of others, the
// channels, and the writers.
type backlog struct {
	srv *Server

	mu      sync.Mutex
	waiting turns
	serving bool // the goroutine exists
}

// backlogInARow is from how many connections is read before everybody else may run.
const backlogInARow = 4

// served reports whether the goroutine exists.
func (b *backlog) served() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.serving
}

// take takes connections, with the role of their readers, out of a queue.
func (b *backlog) take(from *turns) {
	b.mu.Lock()
	for from.len() > 0 {
		b.waiting.push(from.pop())
	}
	start := !b.serving
	b.serving = true
	b.mu.Unlock()
	if start {
		b.srv.goroutines.Add()
		go b.run()
	}
}

// run is the goroutine.
func (b *backlog) run() {
	over := false
	defer func() {
		if over {
			b.srv.goroutines.Done()
		} else {
			go b.run() // a receiver has called runtime.Goexit
		}
	}()
	buf := readBuffers.Get().(*readBuffer)
	defer readBuffers.Put(buf)
	for b.serve(buf[:]) {
		runtime.Gosched() // what has been made of them is done before there is more
	}
	over = true
}

// serve reads from some, and reports whether there are more. Then the next call is due.
func (b *backlog) serve(buf []byte) (more bool) {
	g := b.srv.pollers.floodgate
	v := g.enter()
	defer g.leave(v)
	for range backlogInARow {
		c, others := b.pop()
		if c == nil {
			return false
		}
		if (*polled)(c).turn(buf, others) {
			b.push(c)
		}
	}
	return true
}

// pop takes the first connection, and reports whether there are others. With none the goroutine
// ends.
func (b *backlog) pop() (c *conn, others bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting.len() == 0 {
		b.serving = false
		return nil, false
	}
	c = b.waiting.pop()
	return c, b.waiting.len() > 0
}

func (b *backlog) push(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.push(c)
}
