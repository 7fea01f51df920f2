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

// A Group has the connections that transports of one name make of links for one endpoint. It
// implements seam.Server. Its methods may be called from any goroutine.
type Group struct {
	name       string
	book       *notice.Book
	start      time.Time
	maxClosing int        // 0 is none
	tasks      task.Group // Serve, Accept, Mount.Go, and the goroutines of connections
	stats      seam.Counters

	ending    <-chan struct{} // closed when no more connections are accepted
	functions atomic.Int64    // of Mount.Go, which are tasks too
	said      atomic.Bool     // that these alone are left

	mu      sync.Mutex
	stopped bool
	code    transport.CloseCode // given to stop
	conns   connList            // those whose receivers are not told of the end
	closing connList            // the others, the oldest first
}

// newGroup makes a Group. At most maxClosing connections that have ended may wait for their
// clients; 0 is no limit.
func newGroup(name string, book *notice.Book, maxClosing int, ending <-chan struct{}) *Group {
	return &Group{name: name, book: book, start: time.Now(), maxClosing: maxClosing, ending: ending}
}

// now is the time on the group's clock, which knows nothing of wall-clock jumps.
func (g *Group) now() time.Duration { return time.Since(g.start) }

// at turns a time on the group's clock into a deadline.
func (g *Group) at(d time.Duration) time.Time { return g.start.Add(d) }

// serve runs a link until nothing of it is left, and returns why the connection ended.
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
	return c.reason // which nothing changes any more
}

// close closes the connection, or cuts it when the code is 0.
func (c *conn) close(code transport.CloseCode) {
	if code == 0 {
		c.end(0, transport.ErrLost)
	} else {
		c.Close(code)
	}
}

// linger counts a connection whose receiver is told of the end, until remove.
func (g *Group) linger(c *conn) {
	g.mu.Lock()
	g.conns.remove(c)
	g.closing.push(c)
	g.mu.Unlock()
	g.stats.Closing.Add(1)
}

// remove forgets a connection that is over.
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

// makeRoom cuts a closed connection if there are more than there may be: the one that has waited
// longest for its client.
func (g *Group) makeRoom() {
	if g.maxClosing <= 0 || g.stats.Closing.Load() <= int64(g.maxClosing) {
		return
	}
	g.mu.Lock()
	c := g.closing.first
	if c != nil { // the next time another, should this one still be there
		g.closing.remove(c)
		g.closing.push(c)
	}
	g.mu.Unlock()
	if c != nil {
		g.book.Say(notice.LingerCut, c.about(slog.Int("limit", g.maxClosing))...)
		c.end(0, transport.ErrLost)
	}
}

// enter lets a connection be accepted, unless the group is closed. Wait waits for it, until the
// caller calls tasks.Done.
func (g *Group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.stopped {
		g.tasks.Add()
	}
	return !g.stopped
}

// run runs f in a goroutine, with a context that ends when no more connections are accepted.
func (g *Group) run(f func(ctx context.Context)) {
	g.tasks.Add()
	g.functions.Add(1)
	go func() {
		defer g.tasks.Done()
		defer g.functions.Add(-1)
		f(&listening{context.Background(), g.ending})
	}()
}

// listening is a context that ends with a channel.
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

// Close refuses new connections and closes all that are open with code. Those that were accepted and
// are served from now on are closed at once. It does not wait; Wait does.
func (g *Group) Close(code transport.CloseCode) { g.stop(code) }

// Abort cuts all connections, also those that Close has closed.
func (g *Group) Abort() { g.stop(0) }

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

// Wait waits until no connection is left, and no function of Mount.Go, or for ctx and returns its
// cause. After Close that takes at most the write timeout and the linger time, unless a method of a
// link does not return.
func (g *Group) Wait(ctx context.Context) error {
	err := g.tasks.Wait(ctx)
	if n := g.functions.Load(); err != nil && n > 0 && int(n) == g.tasks.Len() && !g.said.Swap(true) {
		g.book.Say(notice.TransportStuck, slog.String("transport", g.name), slog.Int("functions", int(n)))
	}
	return err
}

// Drained implements seam.Server.
func (g *Group) Drained(ctx context.Context) error { return g.Wait(ctx) }

// Stats reads the counters.
func (g *Group) Stats() transport.Stats { return g.stats.Stats() }

// connList is a list of connections.
type connList struct{ first, last *conn }

func (l *connList) push(c *conn) {
	c.prev, c.next = l.last, nil
	if l.last != nil {
		l.last.next = c
	} else {
		l.first = c
	}
	l.last = c
}

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
