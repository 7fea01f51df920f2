package websocket

import (
	"sync"

	"github.com/bennu-go/bennu/transport"
)

// How frames are put together for one system call.
const (
	// gatherBytes bounds the small frames that are written together, in bytes.
	gatherBytes = 64 << 10
	// gatherMax is the largest frame, in bytes, that is copied to be written together with others.
	// Up to about there, copying costs less than another part of a vector.
	gatherMax = 4 << 10
	// vectorMax is the number of parts of one write. With more the system call would have to
	// allocate.
	vectorMax = 8
)

// flusher is the scratch memory of a writer, from the pool flushers.
type flusher struct {
	buf   [gatherBytes]byte
	parts [vectorMax][]byte
	write func(fd uintptr) bool // f.writeAll, made once

	own  batch  // the batch of flush; a field, so that it is not allocated
	b    *batch // the argument of writeAll; done and err are its results
	done progress
	err  error

	sum progress // written since the last call of count
}

// count adds f.sum to the counters of the server.
func (s *server) count(f *flusher) {
	if f.sum.writes > 0 {
		s.stats.Out(f.sum.msgs, f.sum.bytes, f.sum.writes)
		f.sum = progress{}
	}
}

// countEvery is the number of connections that a worker flushes between two calls of count, since
// counting costs more than adding up.
const countEvery = 64

// flushers keeps the scratch memory of writers. A writer holds one only while it writes.
var flushers = sync.Pool{New: func() any {
	f := &flusher{}
	f.write = f.writeAll
	return f
}}

// free gives f back to the pool.
func (f *flusher) free() {
	f.b, f.err, f.done = nil, nil, progress{}
	clear(f.parts[:]) // the frames of others
	flushers.Put(f)
}

// flushList is a list of connections that are marked for flushing, guarded by server.flushMu.
type flushList struct{ first, last *conn }

// push appends a connection, which is in no flushList.
func (l *flushList) push(c *conn) {
	if l.last == nil {
		l.first = c
	} else {
		l.last.nextFlush = c
	}
	l.last = c
}

// pop removes and returns the first connection, or nil.
func (l *flushList) pop() *conn {
	c := l.first
	if c == nil {
		return nil
	}
	l.first, c.nextFlush = c.nextFlush, nil
	if l.first == nil {
		l.last = nil
	}
	return c
}

// laterEvery: while both lists have connections, each laterEvery-th one that is flushed is of
// toFlushLater.
const laterEvery = 8

// schedule marks a connection for flushing. Its state is writerScheduled.
//
// The way of a frame: Send pushes it into the queue and makes the connection scheduled, unless it is
// already or somebody writes. A flush worker takes the connection from the list and the whole queue
// from the connection, and writes it. If more was queued meanwhile, the connection goes to the end of
// the list. If the socket is full, the engine waits for it. While the reader parses (cork), it is the
// writer itself, and flushes at the end, without the list.
func (s *server) schedule(c *conn) { s.mark(c, &s.toFlush) }

// scheduleLater is schedule for pings and the ends of idle connections. Thousands may be due at one
// moment, and answers must not wait for all of them.
func (s *server) scheduleLater(c *conn) { s.mark(c, &s.toFlushLater) }

// mark appends a connection to a list and starts a flush worker if fewer than maxFlushing run.
func (s *server) mark(c *conn, l *flushList) {
	s.flushMu.Lock()
	l.push(c)
	start := s.flushing < s.maxFlushing
	if start {
		s.flushing++
		s.goroutines.Add()
	}
	s.flushMu.Unlock()
	if start {
		go s.flushWorker() // a method value made here would be allocated
	}
}

// flushScheduled is a flush worker: it flushes connections until none is marked.
func (s *server) flushScheduled() {
	defer s.goroutines.Done()
	f := flushers.Get().(*flusher)
	for n := 1; ; n++ {
		s.flushMu.Lock()
		c := s.nextFlushLocked()
		if c == nil {
			s.flushing--
			s.flushMu.Unlock()
			s.count(f)
			f.free()
			return
		}
		s.flushMu.Unlock()
		c.mu.Lock()
		c.writer = writerBusy
		c.mu.Unlock()
		f.flush(c)
		if n%countEvery == 0 {
			s.count(f)
		}
	}
}

// nextFlushLocked returns the next connection to flush, or nil.
func (s *server) nextFlushLocked() *conn {
	s.flushes++
	if s.flushes%laterEvery == 0 {
		if c := s.toFlushLater.pop(); c != nil {
			return c
		}
	}
	if c := s.toFlush.pop(); c != nil {
		return c
	}
	return s.toFlushLater.pop()
}

// flush writes the queue of c until it is empty or the socket is full. The caller is the writer,
// and is not after the call.
func (f *flusher) flush(c *conn) {
	c.mu.Lock()
	ok := c.takeLocked(&f.own)
	c.mu.Unlock()
	if !ok {
		return
	}
	b := &f.own
	f.b = b
	err := c.engine.write(f)
	done := f.done
	f.sum.add(done)
	f.b, f.err, f.done = nil, nil, progress{}
	if err != nil {
		c.writeFailed(b, transport.ErrLost)
		return
	}
	c.mu.Lock()
	if c.wroteLocked(b, done); !b.done() {
		c.mu.Unlock()
		c.engine.wait(b)
		return
	}
	b.free()
	if c.q.empty() {
		c.releaseLocked()
		return
	}
	// More frames came meanwhile. Other connections have their turn first.
	c.writer = writerScheduled
	c.mu.Unlock()
	c.srv.schedule(c)
}

// takeLocked takes the rest of a blocked batch, or the queue, to be written. If there is neither,
// it ends the role of the writer and reports false.
func (c *conn) takeLocked(b *batch) bool {
	switch {
	case c.blocked != nil:
		*b, c.blocked = *c.blocked, nil
	case c.q.empty():
		c.idleLocked()
		return false
	default:
		*b = c.q.take()
	}
	c.poll.writable = false
	return true
}

// wroteLocked counts the part of b that was written, and drops the rest of b if c.trim is set.
func (c *conn) wroteLocked(b *batch, done progress) {
	c.q.wrote(done)
	c.pinging = c.pinging && c.q.msgs > 0
	if done.bytes > 0 {
		b.since = 0
	}
	if c.trim {
		c.trim = false
		c.q.wrote(b.trim())
	}
	c.lowLocked()
}

// releaseLocked ends the role of the writer when everything is written, and unlocks c.mu. After a
// close frame it first closes the write side of the socket.
func (c *conn) releaseLocked() {
	if !c.ended.Load() || c.flushed || c.dead {
		c.idleLocked()
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	// Without the lock, since closing a TLS connection may take time.
	ok := c.engine.closeWrite()
	c.mu.Lock()
	c.flushed = true
	// The reader now waits for the client to close its side, too. If the write side could not be
	// closed, the client would not know that it should, so the wait ends at once.
	if c.closeBy = c.srv.now(); ok {
		c.closeBy += c.lim.linger
	}
	c.wakeLocked()
	c.idleLocked()
	c.mu.Unlock()
}

// writeFailed ends a connection whose socket takes no more. The caller is the writer, and is not
// after the call.
func (c *conn) writeFailed(b *batch, reason error) {
	c.lost(reason, true)
	c.mu.Lock()
	c.q.wrote(b.dropAll())
	c.idleLocked()
	c.mu.Unlock()
}

// writeAll writes f.b until it is written or the socket is full. It always returns true, which
// tells syscall.RawConn not to wait for the socket.
func (f *flusher) writeAll(fd uintptr) bool {
	for !f.b.done() {
		n, err := writeNow(int(fd), f.gather(f.b))
		f.done.add(f.b.advance(n))
		if n > 0 {
			f.done.writes++
		}
		if err != nil {
			if err != errFull {
				f.err = err
			}
			break
		}
	}
	return true
}

// gather returns the parts of the next write. Small frames are copied together into the buffer;
// large ones stay where they are.
// A lone small frame is not copied either. The parts end where the buffer or the vector is full; the
// next call continues there.
func (f *flusher) gather(b *batch) [][]byte {
	parts := f.parts[:0]
	used := 0 // bytes of the buffer
	open := false
	last := b.len() - 1
	for i, off := b.i, b.off; i <= last; i, off = i+1, 0 {
		p := b.frame(i)[off:]
		if len(p) > gatherMax || i == last && len(parts) == 0 {
			if len(parts) == vectorMax {
				break
			}
			parts = append(parts, p)
			open = false
			continue
		}
		if used+len(p) > len(f.buf) || !open && len(parts) == vectorMax {
			break
		}
		n := copy(f.buf[used:], p)
		if open {
			k := len(parts) - 1
			parts[k] = f.buf[used-len(parts[k]) : used+n]
		} else {
			parts = append(parts, f.buf[used:used+n])
			open = true
		}
		used += n
	}
	return parts
}
