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

// wait implements engine. The batch is kept in c.blocked until the poller finds that the socket
// takes more.
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
	again := c.poll.writable // reported after write found the socket full
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

// overdue acts on the deadlines of a connection that have passed at now, and sets the next one. The
// caller is the poller; it must call turn if read is true.
//
// It first asks the kernel for events that the poller has not fetched yet, of this connection
// alone. They must not count as late, since the process may have stood still, and deadlines must
// not wait until the poller has served all events.
//
// There are four deadlines: closeBy of a connection that hangs, the write timeout of one whose socket
// is full, and ping and idle timeout of one that is open. The last two are left alone while somebody
// else is the reader, who looks at them later.
func (b *polled) overdue(now time.Duration) (read bool) {
	c := (*conn)(b)
	c.mu.Lock()
	noReader := c.poll.reader == readerNone
	flush := false
	switch late := c.blocked; {
	case c.poll.reader == readerGone:
		c.mu.Unlock()
		return false
	case c.hanging && noReader && now >= c.closeBy:
		b.goneLocked()
		c.mu.Unlock()
		return false
	case c.writer == writerWaiting && c.lim.write > 0 && now >= late.since+c.lim.write:
		// The event is not fetched yet. The flush that follows will find room.
		if isReady(c.poll.fd, unix.POLLOUT) {
			c.writer = writerScheduled
			flush = true
			break
		}
		c.blocked = nil
		c.writer = writerBusy
		c.mu.Unlock()
		c.writeFailed(late, transport.ErrSlowConsumer)
		return false // the reader ends the connection
	case !noReader || c.ended.Load() || c.lim.idle == 0 || now < c.silentUntil():
	case isReadable(c.poll.fd):
		c.poll.reader = readerBusy
		c.poll.readable = true
		read = true
	case c.tooSilent(now):
		c.closeLocked(transport.CloseProtocolError, transport.ErrIdle)
		flush = c.claimLocked(writerScheduled)
	default:
		flush = c.pingLocked()
	}
	c.poll.poller.lookAt(c, b.dueLocked(now))
	c.mu.Unlock()
	if flush {
		c.srv.scheduleLater(c)
	}
	return read
}

// dueLocked returns when overdue must be called next.
func (b *polled) dueLocked(now time.Duration) time.Duration {
	c := (*conn)(b)
	due := now + never
	switch {
	case c.hanging:
		due = max(c.closeBy, now+1)
	case c.ended.Load(): // hangUp sets the next deadline
	case c.lim.idle == 0:
	case c.poll.reader == readerNone:
		due = silentDue(c.silentUntil(), c.lim)
	default: // only the reader may read heard, which will be now or later
		due = firstDue(now, c.lim)
	}
	if c.writer == writerWaiting && c.lim.write > 0 {
		due = min(due, c.blocked.since+c.lim.write)
	}
	return due
}

// silentDue returns when to call overdue for a client that may be silent until then. It is rounded
// up, so that many connections are looked at together.
func silentDue(until time.Duration, l *limits) time.Duration {
	return roundUp(until, min(l.idle/16, time.Second))
}

// firstDue returns when to call overdue for a client from which something was heard at that time or
// later.
func firstDue(heard time.Duration, l *limits) time.Duration {
	if l.ask > 0 {
		return silentDue(heard+l.ask, l)
	}
	return silentDue(heard+l.idle, l)
}
