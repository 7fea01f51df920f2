//go:build !noepoll

package websocket

import "golang.org/x/sys/unix"

// goEnd starts end. The caller has the role of the reader and gives it away.
func (b *polled) goEnd() {
	b.srv.goroutines.Add()
	go b.end()
}

// end tells the receiver, and leaves it to the poller to see the close frame out.
func (b *polled) end() {
	defer b.srv.goroutines.Done()
	defer b.hangUp()
	(*conn)(b).tellEnd()
}

// hangUp goes on to read, and throws away, until the client has closed its side,
// because closing a socket that has unread bytes destroys what is on its way to the
// client. It is bounded in time by closeBy and in bytes.
func (b *polled) hangUp() {
	c := (*conn)(b)
	c.mu.Lock()
	c.hanging = true
	if c.srv.now() >= c.closeBy {
		b.goneLocked()
		c.mu.Unlock()
		return
	}
	c.poll.poller.lookAt(c, c.closeBy)
	c.mu.Unlock()
	b.readSome()
}

// goneLocked closes the socket, or leaves that to the writer. The caller has the role
// of the reader, which ends.
func (b *polled) goneLocked() {
	c := (*conn)(b)
	if !c.flushed && !c.dead {
		c.abrupt = true // the client does not read
	}
	c.dead = true
	c.poll.reader = readerGone
	if c.blocked != nil {
		c.q.wrote(c.blocked.dropAll())
		c.blocked = nil
	}
	c.q.drop()
	if c.writer != writerBusy {
		b.closeLocked()
	}
}

// closeLocked closes the socket, with which nobody has to do any more.
func (b *polled) closeLocked() {
	c := (*conn)(b)
	if c.abrupt {
		_ = unix.SetsockoptLinger(c.poll.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	c.poll.poller.remove(c)
	_ = unix.Close(c.poll.fd)
	c.poll.fd = -1
	c.srv.remove(c)
	c.srv.goroutines.Done()
}

// wakeLocked implements engine.
func (b *polled) wakeLocked() {
	c := (*conn)(b)
	if c.hanging && c.flushed && c.poll.reader != readerGone {
		c.poll.poller.lookAt(c, c.closeBy)
	}
	switch {
	case c.poll.reader != readerParked: // who has the role will see it
	case !c.hanging:
		if c.ended.Load() {
			c.poll.reader = readerBusy
			b.goEnd()
		}
	case c.dead || c.flushed && c.poll.eof:
		b.goneLocked()
	}
}

// hungUp implements engine.
func (b *polled) hungUp() bool { return isHungUp(b.poll.fd) }

// abort implements engine. In conn.lost the reader was told already.
func (b *polled) abort() {}

// idleLocked implements engine.
func (b *polled) idleLocked() {
	if b.poll.reader == readerGone && b.poll.fd >= 0 {
		b.closeLocked()
	}
}
