//go:build !noepoll

package websocket

import (
	"bytes"
	"io"
	"net"

	"golang.org/x/sys/unix"

	"github.com/bennu-go/bennu/transport"
)

// readerState says who reads from the socket and calls the receiver.
type readerState uint8

const (
	readerBusy   readerState = iota // a goroutine, which may be the poller
	readerParked                    // nobody until something comes or the connection ends
	readerGone                      // nobody any more
)

// readsInARow is how often one connection is read from before others have their turn, if
// none of them wants it.
const readsInARow = 4

// pollState is what engine B keeps in a connection. The descriptor is closed by
// whoever is the last to have a role, so that nobody uses its number for a socket that
// got it later.
type pollState struct {
	poller *poller
	fd     int    // used by who has a role; -1 when closed
	slot   uint32 // where the poller has the connection
	gen    uint32 // and which of all that were there

	lingered int // bytes read and thrown away since the end; used by the reader

	// The rest is guarded by conn.mu. The kernel tells of each change once, so what
	// comes while somebody has the role is kept for when it is given up.
	reader   readerState
	readable bool // the socket may have something, since it was last read
	writable bool // the socket may take something, since it was last written to
	readOn   bool // a read that gets little may not be the last: the client has closed its side, sent an urgent byte, or is lost
	eof      bool // and all that it sent is read
}

// polled is a connection with engine B: while nothing comes, no goroutine has to do
// with it. What comes is read and given to the receiver by its poller. It has a goroutine
// of its own while it opens, while the receiver holds it back, and when it ends.
type polled conn

// poll gives a connection to engine B, if that can serve it. Then the socket goes on
// under another descriptor, and nc is closed to give back what it holds.
func (s *server) poll(c *conn, nc net.Conn) bool {
	p := s.pollers.next()
	if p == nil {
		return false
	}
	raw := rawConn(nc)
	if raw == nil {
		return false
	}
	fd, errDup := -1, error(nil)
	err := raw.Control(func(socket uintptr) { fd, errDup = unix.FcntlInt(socket, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || errDup != nil {
		return false // there may be no descriptor left
	}
	c.engine = (*polled)(c)
	c.poll.fd = fd
	if !p.add(c) {
		_ = unix.Close(fd)
		c.poll = pollState{}
		return false
	}
	_ = nc.Close()
	return true
}

func (b *polled) start(early []byte) { b.goRun(early, nil) }

// goRun starts run. The caller has the role of the reader and gives it away.
func (b *polled) goRun(p []byte, resume <-chan struct{}) {
	b.srv.goroutines.Add()
	go b.run(p, resume)
}

// run opens a connection, or goes on with one whose receiver held it back. Then it
// reads until there is nothing, and leaves what comes later to the poller.
func (b *polled) run(p []byte, resume <-chan struct{}) {
	c := (*conn)(b)
	returned := false
	defer c.srv.goroutines.Done()
	defer b.crashed(&returned)
	if resume == nil {
		c.receiver.Opened(c)
		c.hear()
		p, resume = c.consume(p)
	}
	held := resume != nil
	for resume != nil {
		c.hold(resume)
		p, resume = c.consumeInTurn(p)
	}
	if !held || !b.leave() { // the poller knows whose turn it is
		b.readSome()
	}
	returned = true
}

// ready takes note of what the kernel says of the socket, and reads if the client was quiet.
// It reports whether turn must be called.
func (b *polled) ready(events uint32, buf []byte) (again bool) {
	c := (*conn)(b)
	flush, read := false, false
	c.mu.Lock()
	if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.poll.writable = true
		if flush = c.writer == writerWaiting; flush {
			c.writer = writerScheduled
		}
	}
	if events&^unix.EPOLLOUT != 0 {
		c.poll.readable = true
		c.poll.readOn = c.poll.readOn || events&^(unix.EPOLLIN|unix.EPOLLOUT) != 0
		if read = c.poll.reader == readerParked; read {
			c.poll.reader = readerBusy
		}
	}
	c.mu.Unlock()
	if flush {
		c.srv.schedule(c)
	}
	p := c.poll.poller
	if read && !c.hanging && !c.quiet(p.looked) {
		return true
	}
	return read && b.turn(buf, len(p.events)+p.again.len() > 0)
}

// turn is read for who has got the role of the reader, and waits for its turn again if it must.
// It reads less if others wait.
func (b *polled) turn(buf []byte, others bool) (again bool) {
	reads := readsInARow
	if others {
		reads = 1
	}
	returned := false
	defer b.crashed(&returned)
	again = b.read(buf, reads)
	returned = true
	return again
}

// crashed is deferred where the receiver is called by who has the role of the reader.
func (b *polled) crashed(returned *bool) {
	if !*returned {
		(*conn)(b).crashed(recover())
		b.goEnd()
	}
}

// readSome reads some, and leaves the rest to the poller. The caller has the role of the
// reader, which is given up.
func (b *polled) readSome() {
	buf := readBuffers.Get().(*readBuffer)
	defer readBuffers.Put(buf)
	for b.read(buf[:], readsInARow) && !b.leave() {
	}
}

// leave gives up the role of the reader to the poller, which is told again of what there is to
// read. It reports false when the system cannot do that, and the caller keeps the role.
func (b *polled) leave() bool {
	c := (*conn)(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !b.goesOnLocked(false) {
		return true
	}
	if !c.poll.poller.tellAgain(c) {
		return false
	}
	c.poll.reader = readerParked
	return true
}

// read reads so often and gives it to the receiver. It reports whether it must be called
// again; otherwise the role of the reader is given up.
func (b *polled) read(buf []byte, reads int) (again bool) {
	c := (*conn)(b)
	more := false
	for range reads {
		ok, readOn := b.mayRead(more)
		if !ok {
			return false
		}
		n, err := readNow(c.poll.fd, buf)
		more = err == nil && (n == len(buf) || readOn)
		switch {
		case err == errFull:
		case err != nil:
			b.readFailed(err)
		case c.hanging:
			c.poll.lingered += n
		default:
			c.hearBytes(n)
			if rest, resume := c.consume(buf[:n]); resume != nil {
				b.keep(more)
				b.goRun(bytes.Clone(rest), resume)
				return false
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return b.goesOnLocked(more)
}

// keep notes that there is more to read, for who has the role next.
func (b *polled) keep(more bool) {
	if more {
		b.mu.Lock()
		b.poll.readable = true
		b.mu.Unlock()
	}
}

// mayRead reports whether a read is due; see goesOnLocked.
func (b *polled) mayRead(more bool) (ok, readOn bool) {
	c := (*conn)(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !b.goesOnLocked(more) {
		return false, false
	}
	c.poll.readable = false
	return true, c.poll.readOn
}

// goesOnLocked reports whether there is something to read; the caller knows that there is more,
// or not. When there is nothing, or the connection has ended, the role of the reader is given up.
func (b *polled) goesOnLocked(more bool) bool {
	c := (*conn)(b)
	c.poll.readable = c.poll.readable || more
	if b.overLocked() {
		return false
	}
	if !c.poll.readable {
		c.poll.reader = readerParked
	}
	return c.poll.readable
}

// overLocked gives up the role of the reader if the connection has ended, or its closing is
// over.
func (b *polled) overLocked() bool {
	c := (*conn)(b)
	switch {
	case !c.hanging && c.ended.Load():
		b.goEnd()
	case c.hanging && (c.dead || c.flushed && c.poll.eof || c.poll.lingered >= lingerBytes || c.srv.now() >= c.closeBy):
		b.goneLocked()
	default:
		return false
	}
	return true
}

// readFailed takes note of the end of what the client sends.
func (b *polled) readFailed(err error) {
	c := (*conn)(b)
	if !c.hanging {
		c.lost(transport.ErrLost, false)
		return
	}
	c.mu.Lock()
	if err == io.EOF {
		c.poll.eof = true // a client that has closed its side may still read
	} else {
		c.dead = true
	}
	c.mu.Unlock()
}
