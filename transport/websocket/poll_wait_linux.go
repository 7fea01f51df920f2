//go:build !noepoll

package websocket

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/bennu-go/bennu/transport"
)

// write implements engine.
func (b *polled) write(f *flusher) error {
	f.writeAll(uintptr(b.poll.fd))
	return f.err
}

// wait implements engine.
func (b *polled) wait(rest *batch) {
	c := (*conn)(b)
	c.mu.Lock()
	if c.dead {
		c.q.wrote(rest.dropAll())
		c.idleLocked()
		c.mu.Unlock()
		return
	}
	if rest.since == 0 {
		rest.since = c.srv.now()
	}
	blocked := *rest
	*rest = batch{}
	c.blocked = &blocked
	again := c.poll.writable // since it was found full
	if again {
		c.writer = writerScheduled
	} else {
		c.writer = writerWaiting
		if c.lim.write > 0 {
			c.poll.poller.lookAt(c, blocked.since+c.lim.write)
		}
	}
	c.mu.Unlock()
	if again {
		c.srv.schedule(c)
	}
}

// closeWrite implements engine.
func (b *polled) closeWrite() bool { return unix.Shutdown(b.poll.fd, unix.SHUT_WR) == nil }

// overdue sees to what is due at now, and tells the poller when to look again.
func (b *polled) overdue(now time.Duration) {
	c := (*conn)(b)
	c.mu.Lock()
	parked := c.poll.reader == readerParked
	flush := false
	switch late := c.blocked; {
	case c.poll.reader == readerGone:
		c.mu.Unlock()
		return
	case c.hanging && parked && now >= c.closeBy:
		b.goneLocked()
		c.mu.Unlock()
		return
	case c.writer == writerWaiting && c.lim.write > 0 && now >= late.since+c.lim.write:
		c.blocked = nil
		c.writer = writerBusy
		c.mu.Unlock()
		c.writeFailed(late, transport.ErrSlowConsumer)
		return // whoever is the reader ends it
	case parked && c.lim.idle > 0 && now >= c.heard+c.lim.idle && !c.ended.Load():
		c.closeLocked(transport.CloseProtocolError, transport.ErrIdle)
		flush = c.claimLocked(writerScheduled)
	}
	c.poll.poller.lookAt(c, b.dueLocked(now))
	c.mu.Unlock()
	if flush {
		c.srv.schedule(c)
	}
}

// dueLocked is when there may next be something for overdue to do.
func (b *polled) dueLocked(now time.Duration) time.Duration {
	c := (*conn)(b)
	due := now + never
	switch {
	case c.hanging:
		due = max(c.closeBy, now+1)
	case c.ended.Load(): // hangUp will look
	case c.lim.idle == 0:
	case c.poll.reader == readerParked:
		due = idleDue(c.heard, c.lim)
	default: // heard is not ours to read, and will not be before now
		due = idleDue(now, c.lim)
	}
	if c.writer == writerWaiting && c.lim.write > 0 {
		due = min(due, c.blocked.since+c.lim.write)
	}
	return due
}

// idleDue is when a client that was heard last at some time is idle for too long. It
// is rounded up, so that many connections are looked at together.
func idleDue(heard time.Duration, l *limits) time.Duration {
	return roundUp(heard+l.idle, min(l.idle/16, time.Second))
}
