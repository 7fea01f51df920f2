//go:build !noepoll

package websocket

import (
	"bytes"
	"io"
	"net"

	"golang.org/x/sys/unix"

	"github.com/bennu-go/bennu/transport"
)

// readerState says who is the reader, the only goroutine that reads from the socket and calls the
// receiver.
type readerState uint8

const (
	readerBusy readerState = iota // a goroutine, which may be the poller
	readerNone                    // nobody, until bytes arrive or the connection ends
	readerGone                    // nobody again
)

// readsInARow is how often one connection is read before others have their turn, if none of them
// waits.
const readsInARow = 4

// pollState is the part of a connection that only a polled one needs. The last goroutine with a
// role closes the descriptor, so that nobody uses its number for a socket that got it later.
type pollState struct {
	poller *poller
	fd     int    // used by the reader and the writer; -1 when closed
	slot   uint32 // index in poller.slots
	gen    uint32 // tells apart the connections that had this slot

	lingered int // bytes read and dropped since the end; used by the reader

	// The rest is guarded by conn.mu. The kernel reports each change once. So while somebody is the
	// reader or the writer, a change that is reported is kept here until they are done.
	reader   readerState
	readable bool // the socket may have bytes: it was reported readable after the last read
	writable bool // the socket may take bytes: it was reported writable after the last write
	readOn   bool // read until nothing is left, since no further event may come: the client closed its side, sent an urgent byte, or is lost
	eof      bool // the client has closed its side, and all its bytes are read
}

// polled is the engine of a connection that has no goroutine while nothing arrives. Its poller
// reads and calls the receiver. It has a goroutine of its own while it opens, while the receiver
// keeps it from reading, and when it ends.
//
// The role of the reader moves like this, always under conn.mu:
//
//	run, a goroutine, opens the connection, and reads until nothing is left
//	  └► nobody (readerNone). An event makes the poller the reader (ready), and so does a deadline
//	       ├► a quiet client is read at once
//	       ├► any other waits in poller.again or in the backlog for its turn
//	       └► a receiver that takes no more messages: run, in a goroutine, holds (goRun)
//	when the connection ends, a goroutine tells the receiver (goEnd); then it hangs, which means that
//	bytes are read and dropped, and at last nobody is the reader (gone)
type polled conn

// poll makes a connection polled, and reports whether it could. Then the connection uses a
// duplicate of the socket, and nc is closed to free its memory.
// It cannot if there are no pollers, if nc is not a plain socket of package net, or if the system has
// no descriptor left. The connection is parked then.
func (s *server) poll(c *conn, nc net.Conn) bool {
	p := s.pollers.next()
	// Polling is off.
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
		return false // the process may be out of descriptors
	}
	c.engine = (*polled)(c)
	c.poll.fd = fd
	if !p.add(c) {
		_ = unix.Close(fd)
		c.poll = pollState{}
		return false
	}
	// Closes only this descriptor: the duplicate keeps the socket open.
	_ = nc.Close()
	return true
}

// start implements engine.
func (b *polled) start(early []byte) { b.goRun(early, nil) }

// goRun starts run, which becomes the reader in place of the caller.
func (b *polled) goRun(p []byte, resume <-chan struct{}) {
	b.srv.goroutines.Add()
	go b.run(p, resume)
}

// run opens a connection, or goes on with one that was held. Then it reads until there is nothing
// to read, and leaves the rest to the poller. p has bytes that are read already; resume is not nil
// if the connection is held.
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
	if !held || !b.leave() { // the poller decides whose turn it is
		b.readSome()
	}
	returned = true
}

// ready acts on an event of the kernel: it schedules a flush if the socket takes bytes again, and
// reads if the client was quiet. It reports whether the connection must wait for its turn; then the
// caller must call turn.
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
		if read = c.poll.reader == readerNone; read {
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

// turn reads from a connection whose turn it is, for a caller that is the reader. It reports
// whether the connection must wait for another turn. It reads less if others wait.
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

// crashed is deferred by a reader that calls the receiver, and acts if that has not returned.
func (b *polled) crashed(returned *bool) {
	if !*returned {
		(*conn)(b).crashed(recover())
		b.goEnd()
	}
}

// readSome reads for a while and leaves the rest to the poller. The caller is the reader, and is
// not after the call.
func (b *polled) readSome() {
	buf := readBuffers.Get().(*readBuffer)
	defer readBuffers.Put(buf)
	for b.read(buf[:], readsInARow) && !b.leave() {
	}
}

// leave ends the role of the reader. If there is something to read, it makes the kernel report that
// again, so that the poller becomes the reader. If the system cannot do that, it returns false, and
// the caller stays the reader.
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
	c.poll.reader = readerNone
	return true
}

// read reads up to so many times and gives the bytes to the receiver. It reports whether it must be
// called again; otherwise the role of the reader is ended.
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

// keep notes that there is more to read, for the next reader.
func (b *polled) keep(more bool) {
	if more {
		b.mu.Lock()
		b.poll.readable = true
		b.mu.Unlock()
	}
}

// mayRead reports whether to read once more; see goesOnLocked.
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

// goesOnLocked reports whether there is something to read; more says that the caller knows there
// is. If there is nothing, or the connection has ended, it ends the role of the reader.
func (b *polled) goesOnLocked(more bool) bool {
	c := (*conn)(b)
	c.poll.readable = c.poll.readable || more
	if b.overLocked() {
		return false
	}
	if !c.poll.readable {
		c.poll.reader = readerNone
	}
	return c.poll.readable
}

// overLocked ends the role of the reader if the connection has ended, or if its close is complete,
// and reports whether it did.
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

// readFailed acts on an error of a read: the client has closed its side, or is lost.
func (b *polled) readFailed(err error) {
	c := (*conn)(b)
	if !c.hanging {
		c.lost(transport.ErrLost, false)
		return
	}
	c.mu.Lock()
	if err == io.EOF {
		c.poll.eof = true // the client may still read
	} else {
		c.dead = true
	}
	c.mu.Unlock()
}
