package link

import (
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// conn is one connection. It implements seam.Conn.
//
// It is open until the server, the client, the link or a limit ends it. Then it takes no more
// frames, and Receiver.Closed is called: by the reader, or by a goroutine of its own when the
// reader is waiting.
//
// After an end with a close code the writer writes the queue and calls Link.Close with the code.
// Link.Close(0) follows when Read has ended, or after the linger time. After an end without a code
// Link.Close(0) is called at once: the connection is cut.
//
// The connection is over when Close(0) has returned and none of its goroutines is left.
type conn struct {
	group    *Group
	lim      *limits
	link     transport.Link
	receiver seam.Receiver
	over     chan struct{} // closed when the connection is over

	wroteCopy bool // a batch was written; only the writer uses it
	discarded int  // bytes read after the end; only the reader uses it

	mu    sync.Mutex // guards the fields below; nothing of a transport, receiver or log is called under it
	queue outbox
	low   *pace.Waiters // nil while nobody waits for a low queue

	parts      int  // goroutines of the connection that run, with the reader
	away       bool // the reader waits: in Read, or because held is true
	held       bool // the reader waits because the receiver asked for it
	readEnded  bool // Read is not called again
	fullLinger bool // Read ended before the client closed, so the client gets the whole linger time
	writing    bool // the writer exists

	ended   bool // it takes no more frames
	code    transport.CloseCode
	reason  error
	told    bool // the receiver is told of the end, or is being told
	flushed bool // Close(code) has returned
	cut     bool // Close(0) was called, or is about to be
	closed  bool // Close(0) has returned

	wake      chan struct{} // closed to wake a reader that is held; nil otherwise
	heard     time.Duration // when Read last returned; all times are on the group's clock
	inGrace   bool          // the idle timeout has passed, and Read gets idleGrace more
	heldSince time.Duration // when the receiver asked to wait
	writeBy   time.Duration // when the running Write or Close must return; 0 if none runs
	closeBy   time.Duration // when a connection that has ended is cut
	stuckBy   time.Duration // when a connection that was cut is logged as stuck; 0 is never
	timer     *time.Timer
	due       time.Duration // when the timer fires; 0 is never

	gone func() // of AfterGone; set in Receiver.Closed and called by Group.remove

	prev, next *conn // guarded by Group.mu
}

// Send implements seam.Conn.
func (c *conn) Send(f transport.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return false
	case len(f.Bytes()) == 0: // the zero Frame
		return true
	case !c.queue.fits(len(f.Bytes()), c.lim):
		// The client does not read the queue anyway; without it the close code is written sooner.
		c.queue.drop()
		c.endLocked(transport.CloseTryAgainLater, transport.ErrSlowConsumer)
		return false
	}
	c.pushLocked(f)
	return true
}

// pushLocked queues a frame and starts the writer if it does not run.
func (c *conn) pushLocked(f transport.Frame) {
	c.queue.push(f)
	c.writeLocked()
}

// Close implements seam.Conn.
func (c *conn) Close(code transport.CloseCode) {
	c.end(code, &transport.ClosedError{Code: code})
}

// AfterGone implements ability.Lingerer: it registers f to run when the connection is over, which
// may be some time after Receiver.Closed. Only Receiver.Closed may call it. f must not block.
func (c *conn) AfterGone(f func()) { c.gone = f }

// MostQueued implements ability.Bounded.
func (c *conn) MostQueued() (bytes, messages int) { return c.lim.queueBytes, c.lim.queueMsgs }

// startLocked runs a part of the connection's work in a goroutine, which Group.Wait waits for.
func (c *conn) startLocked(part func(*conn)) {
	c.parts++
	c.group.tasks.Add()
	go func() {
		defer c.group.tasks.Done()
		defer c.leave()
		part(c)
	}()
}

// leave is called at the end of each part, and of the reader. The last one ends the connection if
// Close(0) has returned.
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
