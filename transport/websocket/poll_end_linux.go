//go:build !noepoll

package websocket

import "golang.org/x/sys/unix"

// goEnd starts end, which becomes the reader in place of the caller.
func (b *polled) goEnd() {
	b.srv.goroutines.Add()
	go b.end()
}

// end tells the receiver. The poller then waits until the close frame is written and the client has
// closed its side.
func (b *polled) end() {
	defer b.srv.goroutines.Done()
	defer b.hangUp()
	(*conn)(b).tellEnd()
}

// hangUp makes the reader drop all further bytes until the client has closed its side: if a socket
// is closed with unread bytes, the kernel drops what is on its way to the client. closeBy bounds
// the time, and lingerBytes the bytes.
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

// goneLocked ends the role of the reader for good, and closes the socket, unless somebody writes:
// then the writer closes it.
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

// closeLocked closes the socket, and ends the connection. Nobody has a role any more.
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
	case c.poll.reader != readerNone: // the reader will see it
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

// abort implements engine. It does nothing: conn.lost has woken the reader, which closes the
// socket.
func (b *polled) abort() {}

// idleLocked implements engine. If the reader has ended, the writer closes the socket.
func (b *polled) idleLocked() {
	if b.poll.reader == readerGone && b.poll.fd >= 0 {
		b.closeLocked()
	}
}
