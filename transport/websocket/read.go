package websocket

import (
	"bytes"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// readBuffer is where a read goes. No connection holds one while it waits.
type readBuffer [16 << 10]byte

// blockBuffer is the buffer of sockets without raw, which must hold one while
// they wait for the rest of a frame.
type blockBuffer [4 << 10]byte

var (
	readBuffers  = sync.Pool{New: func() any { return new(readBuffer) }}
	blockBuffers = sync.Pool{New: func() any { return new(blockBuffer) }}
)

// lingerBytes is how much a closed connection reads and throws away at most.
const lingerBytes = 4 << 20

// run is the goroutine of a connection. What arrived together with the
// handshake comes first.
func (c *conn) run(early []byte) {
	defer c.srv.goroutines.Done()
	defer c.end() // a panic or Goexit of the receiver does not pass it by
	c.serve(early)
}

// serve reads until the connection ends.
func (c *conn) serve(early []byte) {
	defer func() {
		if v := recover(); v != nil {
			c.srv.log.Error("websocket: receiver panicked", "panic", v, "stack", string(debug.Stack()))
			c.shut(transport.CloseInternalError, &transport.ClosedError{Code: transport.CloseInternalError})
		}
	}()
	c.receiver.Opened(c)
	c.heard = c.srv.now()
	c.watchIdle()
	if len(early) > 0 {
		c.consume(early)
		early = nil
	}
	for !c.ended.Load() {
		p, err := c.read()
		if len(p) > 0 {
			c.heard = c.srv.now()
			c.consume(p)
		}
		c.freeInput()
		switch {
		case err == nil:
		case isTimeout(err):
			c.watchIdle()
		default:
			c.lost(transport.ErrLost)
		}
	}
}

// watchIdle sets the deadline for reading from when the client was last heard,
// or closes the connection when that is over. It is not called for each read.
func (c *conn) watchIdle() {
	if c.lim.idle == 0 {
		return
	}
	until := c.heard + c.lim.idle
	if c.srv.now() >= until {
		c.shut(transport.CloseProtocolError, transport.ErrIdle)
		return
	}
	c.mu.Lock()
	if !c.ended.Load() { // otherwise it would undo the deadline that wakes the reader
		_ = c.nc.SetReadDeadline(c.srv.at(until))
	}
	c.mu.Unlock()
}

// read waits for bytes. They are valid until freeInput.
func (c *conn) read() ([]byte, error) {
	if c.raw != nil {
		if err := c.raw.Read(c.readable); err != nil {
			return nil, err
		}
		return c.in[:c.inN], c.inErr
	}
	if !c.ps.midFrame() {
		n, err := c.nc.Read(c.small[:])
		return c.small[:n], err
	}
	c.block = blockBuffers.Get().(*blockBuffer)
	n, err := c.nc.Read(c.block[:])
	return c.block[:n], err
}

// readNow reads once, into a buffer that it has only if there is something.
func (c *conn) readNow(fd uintptr) bool {
	buf := readBuffers.Get().(*readBuffer)
	n, err := readNow(int(fd), buf[:])
	if err == errFull {
		readBuffers.Put(buf)
		return false
	}
	c.in, c.inN, c.inErr = buf, n, err
	return true
}

func (c *conn) freeInput() {
	if c.in != nil {
		readBuffers.Put(c.in)
		c.in, c.inErr = nil, nil
	}
	if c.block != nil {
		blockBuffers.Put(c.block)
		c.block = nil
	}
}

// consume gives what was read to the receiver. Meanwhile the reader is the
// writer, so that all answers are written together at its end.
func (c *conn) consume(p []byte) {
	c.cork()
	for len(p) > 0 && !c.ended.Load() {
		n, ev, err := c.ps.feed(p)
		p = p[n:]
		if err != nil {
			c.violated(err)
			break
		}
		switch ev.kind {
		case evMessage:
			if resume := c.receiver.Receive(ev.op, ev.data); resume != nil {
				p = c.pause(p, resume)
			}
		case evPing:
			if c.countControl() {
				c.send(ev.data)
			}
		case evPong:
			c.countControl()
		case evClose:
			c.shut(transport.CloseNormal, transport.ErrClientClosed)
		}
	}
	c.uncork()
}

// violated closes the connection for what the client sent.
func (c *conn) violated(err error) {
	code := transport.CloseProtocolError
	if v, ok := err.(*violation); ok {
		code = v.code
	}
	c.shut(code, &transport.ClosedError{Code: code})
}

// countControl counts a ping or pong and reports whether it is within the rate.
func (c *conn) countControl() bool {
	if c.heard-c.ctlFrom >= time.Second {
		c.ctlFrom, c.controls = c.heard, 0
	}
	if c.controls++; c.controls <= c.lim.controlRate {
		return true
	}
	c.shut(transport.ClosePolicy, &transport.ClosedError{Code: transport.ClosePolicy})
	return false
}

// pause waits until the receiver takes messages again, or for the end of the
// connection. Nothing is read meanwhile, and no buffer is held. It returns the
// input that is left.
func (c *conn) pause(p []byte, resume <-chan struct{}) []byte {
	select {
	case <-resume:
		return p
	default:
	}
	p = bytes.Clone(p)
	c.freeInput()
	c.uncork()
	c.mu.Lock()
	if c.ended.Load() {
		c.mu.Unlock()
		return nil
	}
	wake := make(chan struct{})
	c.wake = wake
	c.mu.Unlock()
	select {
	case <-resume:
	case <-wake:
	}
	c.mu.Lock()
	c.wake = nil
	c.mu.Unlock()
	c.heard = c.srv.now() // the client was not listened to
	c.cork()
	return p
}

// awaitFlush waits until the close frame is written, or until closeBy.
func (c *conn) awaitFlush() {
	c.mu.Lock()
	if c.flushed || c.dead {
		c.mu.Unlock()
		return
	}
	wake := make(chan struct{})
	c.wake = wake
	timer := time.NewTimer(c.closeBy - c.srv.now())
	c.mu.Unlock()
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	}
}

func (c *conn) cork() {
	c.mu.Lock()
	c.corked = c.claimLocked(writerBusy)
	c.mu.Unlock()
}

// uncork flushes what was queued under cork.
func (c *conn) uncork() {
	if !c.corked {
		return
	}
	c.corked = false
	c.mu.Lock()
	if c.q.empty() {
		c.writer = writerIdle
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	f := flushers.Get().(*flusher)
	f.flush(c)
	f.free()
}

// end tells the receiver, sees the close frame out and closes the socket.
func (c *conn) end() {
	defer c.srv.remove(c)
	defer c.hangUp()
	if !c.ended.Load() { // the receiver called runtime.Goexit
		c.srv.log.Error("websocket: receiver ended the connection's goroutine")
		c.shut(transport.CloseInternalError, &transport.ClosedError{Code: transport.CloseInternalError})
	}
	c.freeInput()
	c.uncork()
	c.ps = parser{}
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			c.srv.log.Error("websocket: receiver panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	c.receiver.Closed(reason)
}

// hangUp reads and throws away until the client has closed its side, because
// closing a socket that has unread bytes destroys what is on its way to the
// client. It is bounded in time by closeBy and in bytes.
func (c *conn) hangUp() {
	for n := 0; n < lingerBytes; {
		c.mu.Lock()
		c.hanging = true
		over := c.dead || c.srv.now() >= c.closeBy
		if !over {
			_ = c.nc.SetReadDeadline(c.srv.at(c.closeBy))
		}
		c.mu.Unlock()
		if over {
			break
		}
		p, err := c.read()
		n += len(p)
		c.freeInput()
		if err == io.EOF {
			c.awaitFlush() // a client that has closed its side may still read
		}
		if err != nil && !isTimeout(err) {
			break
		}
	}
	c.mu.Lock()
	stuck := !c.flushed && !c.dead
	c.dead = true
	c.mu.Unlock()
	if stuck {
		c.reset()
		return
	}
	_ = c.nc.Close()
}
