package websocket

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// writerState says who is the writer, the only goroutine that may write to the socket.
type writerState uint8

const (
	writerIdle      writerState = iota // nobody, and nothing is queued
	writerScheduled                    // the flush worker that takes the connection next
	writerBusy                         // a flush worker, the reader, or parked.writeWaiting
	writerWaiting                      // nobody until the poller finds that the socket takes more
)

// conn is one connection. It implements seam.Conn.
//
// Its socket is used in two roles, each of one goroutine at a time. The reader reads, calls the
// receiver, and carries out the end of the connection; the engine says which goroutine that is. The
// writer writes; see writerState.
//
// A connection that is closed with a code ends in this order. ended is set, so no more frames are
// taken; the close frame is queued; and the reader is woken. The reader tells the receiver. The writer
// writes the queue with the close frame and closes its side of the socket (flushed). The reader reads
// and drops bytes until the client has closed its side, or closeBy has passed. Then the socket is
// closed and the server removes the connection. When the socket fails (lost), dead is set, the queue
// is dropped, and only the receiver is told.
//
// The client may also begin: its close frame is answered with one of 1000, in the same way.
type conn struct {
	srv      *server
	lim      *limits
	receiver seam.Receiver
	engine   engine
	poll     pollState // of a polled connection

	// Only the reader uses these.
	ps       *parser       // nil between messages
	heard    time.Duration // when bytes last came, on the server's clock
	ctlFrom  time.Duration // when the second began in which controls counts
	controls int           // pings and pongs in that second
	burst    uint32        // bytes that came since the client was last quiet
	corked   bool          // the reader is also the writer
	asked    bool          // a ping was sent, and nothing came since
	owed     bool          // the pong for that ping has not come

	// The connection takes no more frames. It is set under mu and may be read without.
	ended atomic.Bool

	mu      sync.Mutex // guards the fields below; taken before server.mu and poller.mu
	writer  writerState
	flushed bool // the close frame is written
	hanging bool // the receiver is told of the end; waits for the client to close its side
	dead    bool // the socket has failed or is closed
	abrupt  bool // close the socket without sending what the kernel still has for the client
	trim    bool // drop the batch being written after its current frame
	pinging bool // the queue counts a ping
	q       queue
	blocked *batch        // the rest of a batch, in writerWaiting
	closeBy time.Duration // when a closing connection is cut, on the server's clock
	reason  error         // why the connection ended
	low     *pace.Waiters // nil while nobody waits for a low queue
	wake    chan struct{} // closed to wake a reader in hold or awaitFlush; nil otherwise

	nextFlush  *conn // guarded by server.flushMu
	prev, next *conn // guarded by server.mu

	gone func() // of AfterGone
}

// AfterGone implements ability.Lingerer.
func (c *conn) AfterGone(f func()) { c.gone = f }

// connList is a doubly linked list of connections, guarded by server.mu.
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

// newConn returns a polled connection if that is possible, and a parked one otherwise.
func (s *server) newConn(nc net.Conn, r seam.Receiver, l *limits) *conn {
	c := &conn{srv: s, lim: l, receiver: r}
	if !s.poll(c, nc) {
		c.engine = newParked(c, nc)
	}
	return c
}

// Send implements seam.Conn.
func (c *conn) Send(f transport.Frame) bool { return c.send(f.Bytes()) }

// send queues a frame, which may be empty.
func (c *conn) send(b []byte) bool {
	c.mu.Lock()
	ok := !c.ended.Load()
	switch {
	case !ok:
		c.mu.Unlock()
		return false
	case len(b) == 0: // the zero Frame
		c.mu.Unlock()
		return true
	case c.fitsLocked(len(b)):
		c.q.push(b)
	default:
		// The client does not read the queue anyway; without it the close frame is written sooner.
		// Of the batch that is being written, only the frame that has begun is completed.
		c.q.drop()
		c.trim = c.q.msgs > 0
		c.closeLocked(transport.CloseTryAgainLater, transport.ErrSlowConsumer)
		ok = false
	}
	flush := c.claimLocked(writerScheduled)
	c.mu.Unlock()
	if flush {
		c.srv.schedule(c)
	}
	return ok
}

// Close implements seam.Conn.
func (c *conn) Close(code transport.CloseCode) {
	c.shut(code, &transport.ClosedError{Code: code})
}

// closeOrAbort closes the connection, or its socket at once if code is 0.
func (c *conn) closeOrAbort(code transport.CloseCode) {
	if code != 0 {
		c.Close(code)
		return
	}
	c.lost(transport.ErrLost, true)
}

// shut closes the connection with a code, after the frames that are queued.
func (c *conn) shut(code transport.CloseCode, reason error) {
	c.mu.Lock()
	if c.ended.Load() {
		c.mu.Unlock()
		return
	}
	c.closeLocked(code, reason)
	flush := c.claimLocked(writerScheduled)
	c.mu.Unlock()
	if flush {
		c.srv.schedule(c)
	}
}

// closeLocked queues the close frame, whatever the bounds of the queue, and wakes the reader, which
// tells the receiver.
func (c *conn) closeLocked(code transport.CloseCode, reason error) {
	c.srv.stats.Ended(code, reason)
	// A close frame with the code and no reason.
	c.q.push([]byte{0x88, 2, byte(code >> 8), byte(code)})
	timeout := c.lim.write
	if timeout == 0 {
		timeout = defaultWriteTimeout
	}
	c.closeBy = c.srv.now() + timeout
	c.endLocked(reason)
}

// endLocked makes the connection take no more frames.
func (c *conn) endLocked(reason error) {
	c.reason = reason
	c.ended.Store(true)
	c.wakeLocked()
}

// wakeLocked wakes the reader because the connection ended, its socket is dead, or the close frame
// is written.
func (c *conn) wakeLocked() {
	c.lowLocked()
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
	c.engine.wakeLocked()
}

// lost ends the connection without a close frame. abrupt also drops the bytes that the kernel still
// has for the client: if the client does not read, they would keep memory for minutes.
func (c *conn) lost(reason error, abrupt bool) {
	c.mu.Lock()
	if !c.ended.Load() {
		c.reason = reason
		c.ended.Store(true)
		c.srv.stats.Ended(0, reason)
	}
	c.dead = true
	c.abrupt = c.abrupt || abrupt
	c.q.drop()
	c.wakeLocked()
	c.mu.Unlock()
	if abrupt {
		c.engine.abort()
	}
}

// claimLocked makes the caller the writer, in the given state, if nobody is. It reports whether it
// did. There is no point in scheduling a flush of an empty queue.
func (c *conn) claimLocked(as writerState) bool {
	if c.writer != writerIdle || c.q.empty() && as == writerScheduled {
		return false
	}
	c.writer = as
	return true
}

// idleLocked ends the role of the writer, of whoever has it.
func (c *conn) idleLocked() {
	c.writer = writerIdle
	c.engine.idleLocked()
}
