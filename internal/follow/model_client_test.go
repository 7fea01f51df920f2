package follow

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// modelClient is a client of the model. It connects to a random node, again after each cut, and goes on
// from where it was.
type modelClient struct {
	model *model

	mu     sync.Mutex
	conn   *modelConn // nil while it is cut
	ended  bool
	joined bool // it has been somewhere
	since  Position
	seen   map[Position]bool // in this piece of the log
	result modelResult
}

// modelFrame is what a client gets: an entry, or the place from which it goes on.
type modelFrame struct {
	entry *Entry
	mark  Position
	lost  bool
}

// later calls f after a while.
func (c *modelClient) later(d time.Duration, f func()) {
	c.model.tasks.Go(func() {
		time.Sleep(d)
		f()
	})
}

// connect connects to a random node.
func (c *modelClient) connect() {
	n := c.model.nodes[c.model.number(len(c.model.nodes))]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil || c.ended {
		return
	}
	conn := &modelConn{client: c, node: n, frames: make(chan modelFrame, 4096), done: make(chan struct{})}
	c.conn = conn
	since, joined := c.since, c.joined
	c.model.tasks.Go(conn.receive)
	c.model.tasks.Go(func() { conn.join(since, joined) })
}

// cut cuts the connection, if there is one. The client connects again after a while.
func (c *modelClient) cut() {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		c.lost(conn)
	}
}

// lost is cut for one connection.
func (c *modelClient) lost(conn *modelConn) {
	c.mu.Lock()
	if c.conn != conn {
		c.mu.Unlock()
		return
	}
	c.conn = nil
	c.mu.Unlock()
	conn.end()
	c.later(c.model.between(10*time.Millisecond, 1500*time.Millisecond), c.connect)
}

// refuse notes that a position was not found, if the store knows it.
func (c *modelClient) refuse(since Position) {
	if p := c.model.store.read(since.Offset, 1); !c.model.cuts && p.Known && p.Epoch == since.Epoch {
		c.mu.Lock()
		c.result.refused++
		c.mu.Unlock()
	}
}

// stop ends the client.
func (c *modelClient) stop() {
	c.mu.Lock()
	c.ended = true
	conn := c.conn
	c.conn = nil
	c.mu.Unlock()
	if conn != nil {
		conn.end()
	}
}

// take takes a frame, and compares it with what the store has appended.
func (c *modelClient) take(conn *modelConn, f modelFrame) {
	prev, known := uint64(0), false
	if f.entry != nil {
		prev, known = c.model.store.prev(f.entry.Position())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != conn {
		return // it was cut meanwhile
	}
	if f.entry == nil {
		c.joined, c.since, c.seen = true, f.mark, nil
		if f.lost {
			c.result.lost++
		}
		return
	}
	p := f.entry.Position()
	c.result.received++
	switch {
	case c.seen[p]:
		c.result.doubled++
	case !known || prev != c.since.Offset || p.Epoch != c.since.Epoch && c.since != Position{}:
		c.result.gaps++
	}
	if c.seen == nil {
		c.seen = make(map[Position]bool)
	}
	c.seen[p] = true
	c.since = p
}

// judge returns what the client has seen.
func (c *modelClient) judge() modelResult {
	top := c.model.store.top()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.result
	if c.since != top {
		r.behind++
	}
	return r
}

// prev returns the Prev of what was appended at a place.
func (s *modelStore) prev(p Position) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.log, func(m *pubsub.Message) bool { return m.Place.Offset == p.Offset && m.Place.Epoch == p.Epoch })
	if i < 0 {
		return 0, false
	}
	return s.log[i].Place.Prev, true
}

// modelConn is a connection with one channel, which does what a channel of an endpoint does.
type modelConn struct {
	client *modelClient
	node   *modelNode
	frames chan modelFrame
	done   chan struct{}

	mu      sync.Mutex
	sub     *Subscription
	ended   bool
	joined  bool
	live    bool
	running bool // a reader runs
	last    Position
}

// receive is the way to the client, which takes its time.
func (c *modelConn) receive() {
	for {
		select {
		case f := <-c.frames:
			time.Sleep(c.client.model.between(0, 2*time.Millisecond))
			c.client.take(c, f)
		case <-c.done:
			return
		}
	}
}

// join joins the topic.
func (c *modelConn) join(since Position, joined bool) {
	time.Sleep(c.client.model.between(time.Millisecond, 50*time.Millisecond))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if !c.subscribe() || c.sub.begun(ctx) != nil {
		c.client.lost(c)
		return
	}
	if !joined {
		c.begin("")
		return
	}
	after, reason, err := c.sub.Find(ctx, since, modelSize)
	switch {
	case err != nil:
		c.client.lost(c)
	case reason != "":
		c.client.refuse(since)
		c.begin(reason)
	case after > modelSize:
		c.client.lost(c)
	default:
		c.mu.Lock()
		c.joined, c.last = true, since
		c.becomeBehind()
		c.mu.Unlock()
	}
}

// subscribe subscribes, if the node is up.
func (c *modelConn) subscribe() bool {
	n := c.node
	n.mu.Lock()
	defer n.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !n.up || c.ended {
		return false
	}
	n.clients[c] = struct{}{}
	c.sub = n.followers.Subscribe(modelTopic, c)
	return true
}

// begin goes on from the head.
func (c *modelConn) begin(reason Reason) {
	c.sub.Join(func(head Position) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.joined, c.live, c.last = true, true, head
		c.queue(modelFrame{mark: head, lost: reason != ""})
	})
}

// queue sends a frame to the client. The caller holds c.mu.
func (c *modelConn) queue(f modelFrame) {
	select {
	case c.frames <- f:
	case <-c.done:
	}
}

// Deliver implements pubsub.Subscriber.
func (c *modelConn) Deliver(d *pubsub.Dispatch) {
	e := d.Memo.(*Entry)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.joined || !c.live || c.ended:
	case e.Place.Epoch == c.last.Epoch && e.Place.Offset <= c.last.Offset:
	case e.Place.Prev != c.last.Offset || c.client.model.chance(.05): // or its queue is half full
		c.becomeBehind()
	default:
		c.last = e.Position()
		c.queue(modelFrame{entry: e})
	}
}

// Broke implements Breaker.
func (c *modelConn) Broke(p Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined && !c.ended {
		c.last = p
		c.queue(modelFrame{mark: p, lost: true})
	}
}

// becomeBehind lets a reader go on. The caller holds c.mu.
func (c *modelConn) becomeBehind() {
	c.live = false
	if !c.running {
		c.running = true
		c.client.model.tasks.Go(c.read)
	}
}

// read is the reader.
func (c *modelConn) read() {
	for {
		c.mu.Lock()
		at, ended := c.last, c.ended
		c.mu.Unlock()
		if ended {
			return
		}
		list, state := c.sub.Next(at, 7, 1<<20)
		switch state {
		case Some:
			c.send(at, list)
			time.Sleep(3 * time.Millisecond)
		case AtHead:
			if c.becomeLive() {
				return
			}
		case Missing:
			filled := make(chan struct{})
			c.sub.Fill(at, func() { close(filled) })
			select {
			case <-filled:
			case <-c.done:
			}
		case Gone:
			c.mu.Lock()
			moved := c.last != at
			c.mu.Unlock()
			if !moved {
				c.client.lost(c) // its next join is told
				return
			}
		}
	}
}

// send queues entries that follow a place, if the channel is still there.
func (c *modelConn) send(at Position, list []*Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != at || c.ended {
		return
	}
	for _, e := range list {
		c.queue(modelFrame{entry: e})
		c.last = e.Position()
	}
}

// becomeLive ends the reader at the head.
func (c *modelConn) becomeLive() (live bool) {
	c.sub.Join(func(head Position) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.last.Offset >= head.Offset && (c.last.Epoch == head.Epoch || c.last == Position{}) {
			c.live, c.running, live = true, false, true
		}
	})
	return live
}

// end ends the channel.
func (c *modelConn) end() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended = true
	close(c.done)
	sub := c.sub
	c.mu.Unlock()
	c.node.mu.Lock()
	delete(c.node.clients, c)
	c.node.mu.Unlock()
	if sub != nil {
		sub.Cancel()
	}
}
