//go:build !noepoll

package websocket

import (
	"runtime"
	"sync"
)

// backlog is the queue of a poller's connections whose clients send more than it can read at one
// go. A goroutine that exists while there are any reads from them in turn, behind the floodgate. In
// between it lets others run: the poller, the channels and the writers.
// The poller keeps the role of the reader for each of them until its turn is over.
type backlog struct {
	srv *server

	mu      sync.Mutex
	come    turns // connections that came since the last call of more
	serving bool  // the goroutine exists

	waiting turns // only the goroutine uses it
}

// backlogInARow is how many connections are read before others may run.
const backlogInARow = 4

// served reports whether the goroutine exists.
func (b *backlog) served() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.serving
}

// take moves all connections out of a queue of the poller, which is their reader until then. It
// starts the goroutine if it does not run.
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

// run is the goroutine of a backlog. It ends when no connection is left.
func (b *backlog) run() {
	buf := readBuffers.Get().(*readBuffer)
	defer readBuffers.Put(buf)
	for b.more() {
		b.serve(buf[:])
		runtime.Gosched() // lets the channels handle the messages first
	}
}

// serve reads from the next connections, in a place of the floodgate.
func (b *backlog) serve(buf []byte) {
	g := b.srv.pollers.floodgate
	v := g.enter()
	defer g.leave(v)
	b.waiting.serve(b.srv, buf, backlogInARow)
}

// more reports whether there are connections to read from. If not, the goroutine must end.
func (b *backlog) more() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.come.len() > 0 {
		b.waiting.push(b.come.pop())
	}
	b.serving = b.waiting.len() > 0
	return b.serving
}
