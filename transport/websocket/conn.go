package websocket

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// writerState says who may write to the socket.
type writerState uint8

const (
	writerIdle      writerState = iota // nobody, and nothing is queued
	writerScheduled                    // the next flush worker
	writerBusy                         // a flush worker, the reader or the waiter
)

// longAgo wakes whoever waits for a socket, as a deadline.
var longAgo = time.Unix(1, 0)

// conn is one connection.
//
// Its goroutine, the reader, calls the receiver and sees the connection through to its
// end. Writing is a role that one goroutine has at a time; see writerState.
type conn struct {
	srv      *Server
	lim      *limits
	nc       net.Conn
	raw      syscall.RawConn // nil where the socket must be used through nc
	receiver transport.Receiver
	readable func(fd uintptr) bool // c.readNow, made once

	// Used by the reader alone.
	ps       parser
	in       *readBuffer // what readNow has read
	inN      int
	inErr    error
	block    *blockBuffer  // the buffer of a socket without raw, within a frame
	small    [16]byte      // where such a socket is read otherwise
	heard    time.Duration // when bytes last came, on the server's clock
	ctlFrom  time.Duration // start of the second that controls counts
	controls int
	corked   bool // the reader has the role of the writer

	// The connection takes no more. It is set under mu and read without.
	ended atomic.Bool

	mu      sync.Mutex
	q       queue
	writer  writerState
	flushed bool          // the close frame is written
	hanging bool          // the reader only waits for the end, in hangUp
	dead    bool          // the socket is of no more use
	trim    bool          // the batch being written shall end with its current frame
	closeBy time.Duration // when a closing connection is given up, on the server's clock
	reason  error         // why it ended
	wake    chan struct{} // closed to wake the reader where it does not wait for the socket

	nextFlush  *conn // guarded by Server.flushMu
	prev, next *conn // guarded by Server.mu
}

func (s *Server) newConn(nc net.Conn, r transport.Receiver, l *limits) *conn {
	c := &conn{srv: s, lim: l, nc: nc, receiver: r}
	c.ps.maxMessage, c.ps.maxFragments = l.maxMessage, l.maxFragments
	if raw := rawConn(nc); raw != nil {
		c.raw = raw
		c.readable = c.readNow
	}
	return c
}

// rawConn returns the socket of nc, if it can be used without nc. Only the very
// types of net count: one that embeds them may change what its Read returns.
func rawConn(nc net.Conn) syscall.RawConn {
	if !canPoll {
		return nil
	}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := nc.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// Send implements transport.Conn.
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
	case c.q.fits(len(b), c.lim):
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

// Close implements transport.Conn.
func (c *conn) Close(code transport.CloseCode) {
	c.shut(code, &transport.ClosedError{Code: code})
}

// closeOrAbort closes the connection, or its socket at once when code is 0.
func (c *conn) closeOrAbort(code transport.CloseCode) {
	if code != 0 {
		c.Close(code)
		return
	}
	c.lost(transport.ErrLost)
	c.reset()
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
	c.endLocked(reason)
	c.srv.stats.closing(code, reason)
	c.q.push([]byte{0x88, 2, byte(code >> 8), byte(code)})
	timeout := c.lim.write
	if timeout == 0 {
		timeout = DefaultWriteTimeout
	}
	c.closeBy = c.srv.now() + timeout
	_ = c.nc.SetReadDeadline(longAgo)
}

// endLocked makes the connection take no more.
func (c *conn) endLocked(reason error) {
	c.reason = reason
	c.ended.Store(true)
	c.wakeLocked()
}

// wakeLocked wakes the reader where it does not wait for the socket.
func (c *conn) wakeLocked() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// lost ends the connection when its socket failed.
func (c *conn) lost(reason error) {
	c.mu.Lock()
	if !c.ended.Load() {
		c.endLocked(reason)
		c.srv.stats.closing(0, reason)
	}
	c.dead = true
	c.q.drop()
	c.wakeLocked()
	c.mu.Unlock()
}

// claimLocked takes the role of the writer if nobody has it.
func (c *conn) claimLocked(as writerState) bool {
	if c.writer != writerIdle || c.q.empty() && as == writerScheduled {
		return false
	}
	c.writer = as
	return true
}

// reset closes the socket without waiting for what is in it: a client that
// does not read would keep the kernel's buffers alive for minutes.
func (c *conn) reset() {
	nc := c.nc
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn() // closing TLS would wait to send its goodbye
	}
	if l, ok := nc.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = nc.Close()
}

// isTimeout reports whether err says that a deadline passed.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
