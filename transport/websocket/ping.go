package websocket

import "time"

// pingAfter is how long a client may be silent before it is asked for a sign of life. Stock
// clients send a heartbeat every 30 s, so they are never asked.
const pingAfter = 45 * time.Second

// pingFrame asks. Browsers answer by themselves, also for a page that is hidden or busy.
var pingFrame = []byte{0x89, 0}

// askAfter is when a client is asked whose connection is closed when it is idle for so long:
// early enough that the answer can come, even if that is short. It is 0 when nobody is
// asked, because the connection is never closed, or before an answer could come.
func askAfter(idle time.Duration) time.Duration {
	if idle < time.Second {
		return 0
	}
	return min(pingAfter, idle/5*3)
}

// hear takes note that the client lives.
func (c *conn) hear() {
	c.heard = c.srv.now()
	c.asked = false
}

// hearBytes is hear for n bytes that have come.
func (c *conn) hearBytes(n int) {
	now := c.srv.now()
	if c.quiet(now) {
		c.burst = 0
	}
	c.burst = min(c.burst, 1<<30) + uint32(n)
	c.heard = now
	c.asked = false
}

// silentUntil is when there is something to do about a client that stays silent: to ask it, or
// to close its connection. The caller is the reader, and the idle timeout is not Unlimited.
func (c *conn) silentUntil() time.Duration {
	if c.lim.ask > 0 && !c.asked {
		return c.heard + c.lim.ask
	}
	return c.heard + c.lim.idle
}

// tooSilent reports whether a client that is silent at now has been so for too long. One that
// should have been asked, and was not because this process stood still, is asked first.
func (c *conn) tooSilent(now time.Duration) bool {
	return now >= c.heard+c.lim.idle && (c.asked || c.lim.ask == 0)
}

// pingLocked queues a ping, past the bounds of the queue, which are for what the program
// sends. It reports whether the connection must be scheduled. The caller is the reader.
func (c *conn) pingLocked() (flush bool) {
	c.asked = true
	c.heard = max(c.heard, c.srv.now()-c.lim.ask) // who is asked late may answer as late
	if c.pinging {
		return false // the client has not taken the last one yet
	}
	c.owed, c.pinging = true, true
	c.q.push(pingFrame)
	return c.claimLocked(writerScheduled)
}

// fitsLocked reports whether a frame of n bytes fits the queue. A ping takes no room.
func (c *conn) fitsLocked(n int) bool {
	q := c.q
	if c.pinging {
		q.msgs--
		q.bytes -= len(pingFrame)
	}
	return q.fits(n, c.lim)
}
