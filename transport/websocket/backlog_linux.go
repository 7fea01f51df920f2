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
	srv *server

	mu      sync.Mutex
	come    turns // since the goroutine looked last
	serving bool  // the goroutine exists

	waiting turns // used by the goroutine alone
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
		b.come.push(from.pop())
	}
	start := !b.serving
	b.serving = true
	b.mu.Unlock()
	if start {
		b.srv.goroutines.Add()
		go b.srv.readToTheEnd(b.run)
	}
}

// run is the goroutine.
func (b *backlog) run() {
	buf := readBuffers.Get().(*readBuffer)
	defer readBuffers.Put(buf)
	for b.more() {
		b.serve(buf[:])
		runtime.Gosched() // what has been made of them is done before there is more
	}
}

// serve reads from some.
func (b *backlog) serve(buf []byte) {
	g := b.srv.pollers.floodgate
	v := g.enter()
	defer g.leave(v)
	b.waiting.serve(b.srv, buf, backlogInARow)
}

// more reports whether there are any. With none the goroutine ends.
func (b *backlog) more() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.come.len() > 0 {
		b.waiting.push(b.come.pop())
	}
	b.serving = b.waiting.len() > 0
	return b.serving
}
