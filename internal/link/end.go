package link

import (
	"github.com/bennu-go/bennu/transport"
)

// end ends the connection with a close code, or at once when that is 0. Only the first end of a
// connection has an effect, but one without a code also cuts one that is closing.
func (c *conn) end(code transport.CloseCode, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended && code == 0 {
		c.cutLocked()
		return
	}
	c.endLocked(code, reason)
}

// endLocked makes the connection take no more, and has the receiver told.
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

// wakeLocked wakes a reader that the receiver holds back.
func (c *conn) wakeLocked() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// cutLocked ends the link itself. Link.Close(0) may take its time, so that has a goroutine.
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

// closeNow is the last call of Link.Close.
func (c *conn) closeNow() {
	defer func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
	}()
	_ = c.call("Close(0)", func() error { return c.link.Close(0) })
}

// settleLocked cuts a connection that has nothing left to wait for: its client has got the
// close code, and has closed its own side or is not read any more.
func (c *conn) settleLocked() {
	if c.ended && c.flushed && c.deaf && !c.skipped {
		c.cutLocked()
	}
}

// tellNow tells the receiver of the end, if nobody has. The caller is the reader.
func (c *conn) tellNow() {
	c.mu.Lock()
	tell := c.ended && !c.told
	c.told = c.told || tell
	c.mu.Unlock()
	if tell {
		c.tell()
	}
}

// tell tells the receiver of the end. The caller has set told.
func (c *conn) tell() {
	defer c.group.linger(c)
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	c.guard(func() { c.receiver.Closed(reason) })
}
