package websocket

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// writerState says who may write to the socket.
type writerState uint8

const (
	writerIdle      writerState = iota // nobody, and nothing is queued
	writerScheduled                    // the next flush worker
	writerBusy                         // a flush worker, the reader or the waiter
	writerWaiting                      // nobody until the poller says that the socket takes more
)

// conn is one connection.
//
// Two roles use its socket. The reader calls the receiver and sees the connection
// through to its end; the engine says which goroutine that is. Writing is a role that
// one goroutine has at a time; see writerState.
type conn struct {
	srv      *server
	lim      *limits
	receiver seam.Receiver
	engine   engine
	poll     pollState // of engine B

	// Used by the reader alone.
	ps       *parser       // within a message, otherwise nil
	heard    time.Duration // when bytes last came, on the server's clock
	ctlFrom  time.Duration // start of the second that controls counts
	controls int
	burst    uint32 // bytes that have come since the client was quiet
	corked   bool   // the reader has the role of the writer
	asked    bool   // the client was sent a ping, and not heard since
	owed     bool   // it has not answered that yet

	// The connection takes no more. It is set under mu and read without.
	ended atomic.Bool

	mu      sync.Mutex
	writer  writerState
	flushed bool // the close frame is written
	hanging bool // the receiver is told of the end, and the client not gone yet
	dead    bool // the socket is of no more use
	abrupt  bool // what the kernel still has for the client shall be thrown away
	trim    bool // the batch being written shall end with its current frame
	pinging bool // a ping is among what the queue counts
	q       queue
	blocked *batch        // what the poller's word is awaited for
	closeBy time.Duration // when a closing connection is given up, on the server's clock
	reason  error         // why it ended
	low     chan struct{} // closed when the queue is low; nil while nobody waits for that
	wake    chan struct{} // closed to wake the reader where it does not wait for the socket

	nextFlush  *conn // guarded by server.flushMu
	prev, next *conn // guarded by server.mu

	gone func() // of AfterGone
}

// AfterGone implements ability.Lingerer.
func (c *conn) AfterGone(f func()) { c.gone = f }

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

func (s *server) newConn(nc net.Conn, r seam.Receiver, l *limits) *conn {
	c := &conn{srv: s, lim: l, receiver: r}
	if !s.poll(c, nc) {
		c.engine = newParked(c, nc)
	}
	return c
}

// Send implements seam.Conn.
func (c *conn) Send(f transport.Frame) bool { return c.send(f.Bytes()) }

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
		// What is queued will not be read in time, so it makes room for the
		// close frame. Of what is being written only the frame that has begun
		// goes on.
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

// closeOrAbort closes the connection, or its socket at once when code is 0.
func (c *conn) closeOrAbort(code transport.CloseCode) {
	if code != 0 {
		c.Close(code)
		return
	}
	c.lost(transport.ErrLost, true)
}

// shut closes the connection with a code after all that is queued.
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

// closeLocked queues the close frame, past the bounds of the queue, and wakes
// the reader, which tells the receiver.
func (c *conn) closeLocked(code transport.CloseCode, reason error) {
	c.srv.stats.Ended(code, reason)
	c.q.push([]byte{0x88, 2, byte(code >> 8), byte(code)})
	timeout := c.lim.write
	if timeout == 0 {
		timeout = defaultWriteTimeout
	}
	c.closeBy = c.srv.now() + timeout
	c.endLocked(reason)
}

// endLocked makes the connection take no more.
func (c *conn) endLocked(reason error) {
	c.reason = reason
	c.ended.Store(true)
	c.wakeLocked()
}

// wakeLocked tells the reader that the connection ended, that its socket is dead, or
// that the close frame is written.
func (c *conn) wakeLocked() {
	c.lowLocked()
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
	c.engine.wakeLocked()
}

// lost ends the connection when its socket failed, or shall be closed abruptly: a
// client that does not read would keep the kernel's buffers alive for minutes.
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

// claimLocked takes the role of the writer if nobody has it.
func (c *conn) claimLocked(as writerState) bool {
	if c.writer != writerIdle || c.q.empty() && as == writerScheduled {
		return false
	}
	c.writer = as
	return true
}

// idleLocked gives up the role of the writer.
func (c *conn) idleLocked() {
	c.writer = writerIdle
	c.engine.idleLocked()
}
