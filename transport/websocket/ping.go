package websocket

import "time"

// pingAfter bounds how long a client may be silent before it is sent a ping. Stock clients send a
// heartbeat every 30 s, so they get none.
const pingAfter = 45 * time.Second

// pingFrame is an empty ping. Browsers answer it themselves, even for a page that is hidden or
// busy.
var pingFrame = []byte{0x89, 0}

// askAfter returns the silence after which a client is sent a ping, for an idle timeout: early
// enough that the pong can come before it. It is 0, for never, if there is no idle timeout, or one
// so short that no pong could come in time.
func askAfter(idle time.Duration) time.Duration {
	if idle < time.Second {
		return 0
	}
	return min(pingAfter, idle/5*3)
}

// hear notes that the client is alive.
func (c *conn) hear() {
	c.heard = c.srv.now()
	c.asked = false
}

// hearBytes is hear for n bytes that have arrived. It counts those since the client was last quiet.
func (c *conn) hearBytes(n int) {
	now := c.srv.now()
	if c.quiet(now) {
		c.burst = 0
	}
	c.burst = min(c.burst, 1<<30) + uint32(n)
	c.heard = now
	c.asked = false
}

// silentUntil returns when something must be done about a client that stays silent: to send it a
// ping, or to close its connection. The caller is the reader, and there is an idle timeout.
func (c *conn) silentUntil() time.Duration {
	if c.lim.ask > 0 && !c.asked {
		return c.heard + c.lim.ask
	}
	return c.heard + c.lim.idle
}

// tooSilent reports whether a client must be closed because it is silent at now. If no ping was
// sent, because this process stood still, a ping comes first.
// So a client is closed only after it had the time between ping and idle timeout to answer.
func (c *conn) tooSilent(now time.Duration) bool {
	return now >= c.heard+c.lim.idle && (c.asked || c.lim.ask == 0)
}

// pingLocked queues a ping, whatever the bounds of the queue. It reports whether the connection
// must be scheduled. The caller is the reader.
func (c *conn) pingLocked() (flush bool) {
	c.asked = true
	c.heard = max(c.heard, c.srv.now()-c.lim.ask) // a ping that is late moves the idle timeout, too
	if c.pinging {
		return false // the last ping is still queued
	}
	c.owed, c.pinging = true, true
	c.q.push(pingFrame)
	return c.claimLocked(writerScheduled)
}

// fitsLocked reports whether a frame of n bytes fits the queue, in which a ping takes no room.
func (c *conn) fitsLocked(n int) bool {
	q := c.q
	if c.pinging {
		q.msgs--
		q.bytes -= len(pingFrame)
	}
	return q.fits(n, c.lim)
}
