package link

import (
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// conn is one connection. It implements seam.Conn.
//
// Its life has these steps. It is open until something ends it: the server, the client, the
// link, a limit. Then it takes no more frames, and the receiver is told, by the reader or, when
// the reader is away, by a goroutine of its own. With a close code the writer writes the queue and
// calls Link.Close with the code; Link.Close(0) follows when Read has ended, or after the linger
// time. Without a code Link.Close(0) comes at once: the connection is cut. It is over when Close(0)
// has returned and no goroutine works for it any more.
type conn struct {
	group    *Group
	lim      *limits
	link     transport.Link
	receiver seam.Receiver
	over     chan struct{} // closed when the connection is over

	discarded int // bytes read after the end; used by the reader alone

	mu    sync.Mutex
	queue outbox
	low   chan struct{} // closed when the queue is low; nil while nobody waits for that

	parts   int  // goroutines that work for the connection
	away    bool // the reader waits in Read or for a receiver that holds it back
	held    bool // it is the latter
	deaf    bool // Read is not called any more
	skipped bool // Read ended before the client did, so the client gets the whole linger time
	writing bool // the writer exists

	ended   bool // it takes no more frames
	code    transport.CloseCode
	reason  error
	told    bool // the receiver is told of the end, or is being told
	flushed bool // Close(code) has returned
	cut     bool // Close(0) is called
	closed  bool // and has returned

	wake      chan struct{} // closed to wake a reader that is held back
	heard     time.Duration // when Read last returned, on the group's clock
	doubted   bool          // the idle timeout is over, and Read gets a moment to prove otherwise
	heldSince time.Duration
	writeBy   time.Duration // when the Write or Close that runs must return; 0 is none
	closeBy   time.Duration // when a connection that has ended is given up
	stuckBy   time.Duration // when one that was cut should be over; 0 is none
	timer     *time.Timer
	due       time.Duration // when the timer fires; 0 is never

	gone func() // of AfterGone

	prev, next *conn // guarded by Group.mu
}

// Send implements seam.Conn.
func (c *conn) Send(f transport.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return false
	case f.Len() == 0: // the zero Frame
		return true
	case !c.queue.fits(f.Len(), c.lim):
		// The client will not read the queue in time, so that makes room for the close code.
		c.queue.drop()
		c.endLocked(transport.CloseTryAgainLater, transport.ErrSlowConsumer)
		return false
	}
	c.pushLocked(f)
	return true
}

// pushLocked queues a frame.
func (c *conn) pushLocked(f transport.Frame) {
	c.queue.push(f)
	c.writeLocked()
}

// Close implements seam.Conn.
func (c *conn) Close(code transport.CloseCode) {
	c.end(code, &transport.ClosedError{Code: code})
}

// AfterGone has f called when the connection is over, which may be some time after the receiver
// is told of the end. Receiver.Closed alone may call it. f must not block.
func (c *conn) AfterGone(f func()) { c.gone = f }

// MostQueued implements ability.Bounded.
func (c *conn) MostQueued() (bytes, messages int) { return c.lim.queueBytes, c.lim.queueMsgs }

// startLocked runs a part of the connection's work in a goroutine.
func (c *conn) startLocked(part func(*conn)) {
	c.parts++
	c.group.tasks.Add()
	go func() {
		defer c.group.tasks.Done()
		defer c.leave()
		part(c)
	}()
}

// leave is the end of a part. The last one to leave ends the connection, if that is cut.
func (c *conn) leave() {
	c.mu.Lock()
	c.parts--
	over := c.parts == 0 && c.closed
	if over && c.timer != nil {
		c.stuckBy = 0
		c.timer.Stop()
	}
	c.mu.Unlock()
	if over {
		close(c.over)
	}
}
