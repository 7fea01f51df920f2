package link

import (
	"github.com/bennu-go/bennu/transport"
)

// end ends the connection with a close code, or cuts it if the code is 0. Only the first end of a
// connection counts, except that a code of 0 also cuts a connection that is closing.
func (c *conn) end(code transport.CloseCode, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended && code == 0 {
		c.cutLocked()
		return
	}
	c.endLocked(code, reason)
}

// endLocked makes the connection take no more frames, counts its end, and starts what must follow:
// writing and closing, or the cut, and telling the receiver if the reader waits.
func (c *conn) endLocked(code transport.CloseCode, reason error) {
	if c.ended {
		return
	}
	c.ended, c.code, c.reason = true, code, reason
	c.group.stats.Ended(code, reason)
	c.lowLocked()
	c.wakeLocked()
	if code == 0 {
		c.cutLocked()
	} else {
		timeout := c.lim.write
		if timeout == 0 {
			timeout = defaultWriteTimeout
		}
		c.closeBy = c.group.now() + timeout
		c.writeLocked()
		c.armLocked()
	}
	if c.away && !c.told {
		c.told = true
		c.startLocked((*conn).tell)
	}
}

// wakeLocked wakes a reader that is held.
func (c *conn) wakeLocked() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// cutLocked drops the queue and calls Link.Close(0), in a goroutine since it may take its time.
func (c *conn) cutLocked() {
	if c.cut {
		return
	}
	c.cut = true
	c.queue.drop()
	c.stuckBy = c.group.now() + stuckAfter
	c.armLocked()
	c.startLocked((*conn).closeNow)
}

// closeNow calls Link.Close(0).
func (c *conn) closeNow() {
	defer func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
	}()
	_ = c.call("Close(0)", func() error { return c.link.Close(0) })
}

// cutIfDoneLocked cuts a connection that has nothing left to wait for: the close code is written,
// and the client has closed its side or is not read any more.
func (c *conn) cutIfDoneLocked() {
	if c.ended && c.flushed && c.readEnded && !c.fullLinger {
		c.cutLocked()
	}
}

// tellNow tells the receiver of the end, unless it is told already. Only the reader calls it.
func (c *conn) tellNow() {
	c.mu.Lock()
	tell := c.ended && !c.told
	c.told = c.told || tell
	c.mu.Unlock()
	if tell {
		c.tell()
	}
}

// tell calls Receiver.Closed. The caller has set told.
func (c *conn) tell() {
	defer c.group.linger(c)
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	c.guard(func() { c.receiver.Closed(reason) })
}
