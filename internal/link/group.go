package link

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/transport"
)

// A Group has the connections of all transports of one name at one endpoint. It implements
// seam.Server. Its methods may be called from any goroutine.
type Group struct {
	name       string
	book       *notice.Book
	start      time.Time
	maxClosing int        // bound of closing; 0 is no bound
	tasks      task.Group // Serve, Accept, Mount.Go, and the goroutines of connections
	stats      seam.Counters

	ending    <-chan struct{} // closed when no more connections are accepted
	functions atomic.Int64    // functions of Mount.Go that run; they are in tasks, too
	said      atomic.Bool     // TransportStuck was logged

	mu      sync.Mutex // guards the fields below
	stopped bool
	code    transport.CloseCode // the argument of stop
	conns   connList            // open: their receivers are not told of an end
	closing connList            // the others, the oldest first
}

// newGroup returns a Group. At most maxClosing connections that have ended may wait for their
// clients; 0 is no bound.
func newGroup(name string, book *notice.Book, maxClosing int, ending <-chan struct{}) *Group {
	return &Group{name: name, book: book, start: time.Now(), maxClosing: maxClosing, ending: ending}
}

// now returns the time on the group's clock, which jumps of the system clock do not affect.
func (g *Group) now() time.Duration { return time.Since(g.start) }

// at returns a time on the group's clock as a deadline.
func (g *Group) at(d time.Duration) time.Time { return g.start.Add(d) }

// serve runs a link until the connection is over, and returns why it ended.
func (g *Group) serve(l transport.Link, r seam.Receiver, lim *limits) error {
	c := &conn{
		group: g, lim: lim, link: l, receiver: r,
		over: make(chan struct{}), parts: 1, heard: g.now(),
	}
	g.tasks.Add()
	defer g.tasks.Done()
	g.mu.Lock()
	g.conns.push(c)
	stopped, code := g.stopped, g.code
	g.mu.Unlock()
	g.stats.Open.Add(1)
	g.stats.Opened.Add(1)
	c.mu.Lock()
	c.armLocked()
	c.mu.Unlock()
	defer g.remove(c)
	if stopped { // since the connection was accepted
		c.close(code)
	}
	c.serve()
	return c.reason // no goroutine is left that could change it
}

// close closes the connection, or cuts it if the code is 0.
func (c *conn) close(code transport.CloseCode) {
	if code == 0 {
		c.end(0, transport.ErrLost)
	} else {
		c.Close(code)
	}
}

// linger moves a connection whose receiver is told of the end to closing.
func (g *Group) linger(c *conn) {
	g.mu.Lock()
	g.conns.remove(c)
	g.closing.push(c)
	g.mu.Unlock()
	g.stats.Closing.Add(1)
}

// remove removes a connection that is over, and calls the function of AfterGone.
func (g *Group) remove(c *conn) {
	g.mu.Lock()
	g.closing.remove(c)
	g.mu.Unlock()
	g.stats.Closing.Add(-1)
	g.stats.Open.Add(-1)
	if c.gone != nil {
		c.gone()
	}
}

// makeRoom cuts the connection that has waited longest for its client to close, if more than
// maxClosing wait.
func (g *Group) makeRoom() {
	if g.maxClosing <= 0 || g.stats.Closing.Load() <= int64(g.maxClosing) {
		return
	}
	g.mu.Lock()
	c := g.closing.first
	if c != nil { // to the end of the list, so that the next call cuts another
		g.closing.remove(c)
		g.closing.push(c)
	}
	g.mu.Unlock()
	if c != nil {
		g.book.Say(notice.LingerCut, c.about(slog.Int("limit", g.maxClosing))...)
		c.end(0, transport.ErrLost)
	}
}

// enter reports whether a connection may be accepted: the group is not closed. If so, Wait waits
// until the caller calls tasks.Done.
func (g *Group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.stopped {
		g.tasks.Add()
	}
	return !g.stopped
}

// run runs f in a goroutine. Its context ends when no more connections are accepted.
func (g *Group) run(f func(ctx context.Context)) {
	g.tasks.Add()
	g.functions.Add(1)
	go func() {
		defer g.tasks.Done()
		defer g.functions.Add(-1)
		f(&listening{context.Background(), g.ending})
	}()
}

// listening is a context that ends when a channel is closed.
type listening struct {
	context.Context
	ending <-chan struct{}
}

// Done implements context.Context.
func (l *listening) Done() <-chan struct{} { return l.ending }

// Err implements context.Context.
func (l *listening) Err() error {
	select {
	case <-l.ending:
		return context.Canceled
	default:
		return nil
	}
}

// Close refuses new connections and closes all open ones with code. Connections that are accepted
// but not served yet are closed when they are served. It does not wait; Wait does.
func (g *Group) Close(code transport.CloseCode) { g.stop(code) }

// Abort cuts all connections, including those that are closing.
func (g *Group) Abort() { g.stop(0) }

// stop is Close, or Abort if the code is 0.
func (g *Group) stop(code transport.CloseCode) {
	var list []*conn
	g.mu.Lock()
	if !g.stopped || code == 0 {
		g.code = code
	}
	g.stopped = true
	for _, l := range []*connList{&g.conns, &g.closing} {
		for c := l.first; c != nil; c = c.next {
			list = append(list, c)
		}
	}
	g.mu.Unlock()
	for _, c := range list {
		c.close(code)
	}
}

// Wait waits until no connection and no function of Mount.Go is left. If ctx ends first, it returns
// its cause. After Close it takes at most the write timeout and the linger time, unless a method of
// a link does not return. If only functions of Mount.Go are left, it logs that.
func (g *Group) Wait(ctx context.Context) error {
	err := g.tasks.Wait(ctx)
	if n := g.functions.Load(); err != nil && n > 0 && int(n) == g.tasks.Len() && !g.said.Swap(true) {
		g.book.Say(notice.TransportStuck, slog.String("transport", g.name), slog.Int("functions", int(n)))
	}
	return err
}

// Drained implements seam.Server.
func (g *Group) Drained(ctx context.Context) error { return g.Wait(ctx) }

// Stats returns the counters.
func (g *Group) Stats() transport.Stats { return g.stats.Stats() }

// connList is a doubly linked list of connections. Group.mu guards it.
type connList struct{ first, last *conn }

// push appends a connection.
func (l *connList) push(c *conn) {
	c.prev, c.next = l.last, nil
	if l.last != nil {
		l.last.next = c
	} else {
		l.first = c
	}
	l.last = c
}

// remove removes a connection of the list.
func (l *connList) remove(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.last = c.prev
	}
	c.prev, c.next = nil, nil
}
