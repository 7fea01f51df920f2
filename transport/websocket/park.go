package websocket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// lateGrace is how long the reader may take for bytes that had arrived when its deadline passed.
const lateGrace = 50 * time.Millisecond

// longAgo is a deadline that wakes whoever waits for a socket.
var longAgo = time.Unix(1, 0)

// blockBuffer is the buffer of sockets that must be read through net.Conn. They hold one while they
// wait for the rest of a frame.
type blockBuffer [4 << 10]byte

// blockBuffers keeps the buffers of connections over TLS that are between frames.
var blockBuffers = sync.Pool{New: func() any { return new(blockBuffer) }}

// parked is the engine of a connection whose reader is a goroutine that waits for the socket.
//
// Its deadlines are read deadlines of the net.Conn: an idle timeout makes read return, and so does
// the end of the connection, by a deadline in the past (wakeLocked).
type parked struct {
	*conn
	nc       net.Conn
	raw      syscall.RawConn       // nil if the socket must be used through nc, as for TLS
	readable func(fd uintptr) bool // a.readNow, made once
	opened   bool                  // Receiver.Opened was called
	grown    bool                  // the stack has probably grown, and renewEvery has passed
	renewed  time.Duration         // when this goroutine began, on the server's clock

	in    *readBuffer  // the bytes that readNow has read, or nil
	inN   int          // their number
	inErr error        // the error of readNow
	block *blockBuffer // the buffer of a socket without raw, within a frame
	small [16]byte     // the buffer of such a socket between frames
}

// newParked returns the engine of a connection over nc.
func newParked(c *conn, nc net.Conn) *parked {
	a := &parked{conn: c, nc: nc, raw: rawConn(nc), renewed: -renewEvery}
	if a.raw != nil {
		a.readable = a.readNow
	}
	return a
}

// rawConn returns the socket of nc if it can be used without nc, or nil. Only the types of package
// net themselves count: a type that embeds one may change what its Read returns.
func rawConn(nc net.Conn) syscall.RawConn {
	if !canPoll {
		return nil
	}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := nc.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// start implements engine.
func (a *parked) start(early []byte) { go a.run(early) }

// renewEvery is the least time between two new goroutines of a connection. A busy connection keeps
// its goroutine, and an idle one ends up with a small stack.
const renewEvery = time.Second

// run is the goroutine of the connection. early has the bytes that arrived with the handshake.
func (a *parked) run(early []byte) {
	renew := false
	defer func() {
		if renew {
			go a.run(nil)
			return
		}
		// Also after a panic or runtime.Goexit of the receiver.
		defer a.srv.goroutines.Done()
		a.end()
	}()
	renew = a.serve(early)
}

// serve reads until the connection ends. It also returns, with renew true, when there is nothing to
// read and the connection should go on in a new goroutine: calling the receiver makes the stack
// grow, and a goroutine that waits would keep the large stack.
func (a *parked) serve(early []byte) (renew bool) {
	defer func() {
		if v := recover(); v != nil {
			a.crashed(v)
		}
	}()
	if !a.opened {
		a.opened = true
		a.receiver.Opened(a.conn)
		a.hear()
		a.watchIdle()
		a.consumeAll(early, false)
		early = nil
	}
	for !a.ended.Load() {
		p, err := a.read()
		if err == errFull {
			a.grown, a.renewed = false, a.srv.now()
			return true
		}
		if len(p) > 0 {
			a.hearBytes(len(p))
			a.consumeAll(p, a.burst > uint32(burstBytes))
			a.grown = a.raw != nil && a.heard-a.renewed >= renewEvery
		}
		a.freeInput()
		switch {
		case err == nil:
		case isTimeout(err):
			a.watchIdle()
		default:
			a.lost(transport.ErrLost, false)
		}
	}
	return false
}

// consumeAll consumes p, at once or behind the floodgate, and holds as often as the receiver asks
// for it.
func (a *parked) consumeAll(p []byte, inTurn bool) {
	consume := a.consume
	if inTurn {
		consume = a.consumeInTurn
		if a.srv.floodgate.full() {
			p = a.cloneInput(p)
		}
	}
	rest, resume := consume(p)
	if resume != nil {
		rest = a.cloneInput(rest)
	}
	for resume != nil {
		a.hold(resume)
		rest, resume = a.consumeInTurn(rest)
	}
}

// cloneInput copies the rest of the input and frees the buffer, so that none is held during a wait.
func (a *parked) cloneInput(p []byte) []byte {
	p = bytes.Clone(p)
	a.freeInput()
	return p
}

// watchIdle sets the read deadline to the time at which something must be done about a silent
// client. If that has passed, it sends a ping or closes the connection. It is called when a read
// times out, not for each read.
func (a *parked) watchIdle() {
	if a.lim.idle == 0 {
		return
	}
	now := a.srv.now()
	until := a.silentUntil()
	flush := false
	switch {
	case now < until:
	case a.unread():
		// The bytes must not count as late: the process may have stood still, and a socket is only
		// read before its deadline.
		until = now + lateGrace
	case a.tooSilent(now):
		a.shut(transport.CloseProtocolError, transport.ErrIdle)
		return
	default:
		a.mu.Lock()
		flush = !a.ended.Load() && a.pingLocked()
		a.mu.Unlock()
		until = a.heard + a.lim.idle
	}
	a.mu.Lock()
	if !a.ended.Load() { // otherwise it would replace the deadline that wakes the reader
		_ = a.nc.SetReadDeadline(a.srv.at(until))
	}
	a.mu.Unlock()
	if flush {
		a.srv.scheduleLater(a.conn)
	}
}

// unread reports whether bytes have arrived that are not read yet, if the kernel can tell.
func (a *parked) unread() bool { return a.ask(isReadable) }

// hungUp implements engine.
func (a *parked) hungUp() bool { return a.ask(isHungUp) }

// ask asks the kernel about the socket, also that below TLS. The result is false if it cannot tell.
func (a *parked) ask(what func(fd int) bool) (is bool) {
	nc := a.nc
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn()
	}
	if raw := rawConn(nc); raw != nil {
		_ = raw.Control(func(fd uintptr) { is = what(int(fd)) })
	}
	return is
}

// read waits for bytes, which are valid until freeInput. The error is errFull if the goroutine
// should be renewed.
func (a *parked) read() ([]byte, error) {
	if a.raw != nil {
		if err := a.raw.Read(a.readable); err != nil {
			return nil, err
		}
		// readNow gave up the wait, because the goroutine should be renewed.
		if a.in == nil {
			return nil, errFull
		}
		return a.in[:a.inN], a.inErr
	}
	if a.ps == nil || !a.ps.midFrame() {
		n, err := a.nc.Read(a.small[:])
		return a.small[:n], err
	}
	a.block = blockBuffers.Get().(*blockBuffer)
	n, err := a.nc.Read(a.block[:])
	return a.block[:n], err
}

// readNow reads once. It keeps a buffer only if there were bytes. It returns false to wait for the
// socket.
func (a *parked) readNow(fd uintptr) bool {
	buf := readBuffers.Get().(*readBuffer)
	n, err := readNow(int(fd), buf[:])
	if err == errFull {
		readBuffers.Put(buf)
		return a.grown
	}
	a.in, a.inN, a.inErr = buf, n, err
	return true
}

// freeInput gives the buffers of the last read back.
func (a *parked) freeInput() {
	if a.in != nil {
		readBuffers.Put(a.in)
		a.in, a.inErr = nil, nil
	}
	if a.block != nil {
		blockBuffers.Put(a.block)
		a.block = nil
	}
}

// wakeLocked implements engine.
func (a *parked) wakeLocked() {
	switch {
	case !a.ended.Load():
	case a.hanging:
		_ = a.nc.SetReadDeadline(a.srv.at(a.closeBy))
	default:
		// Not closeBy yet, which hangUp sets: a deadline in the past is lost if it is replaced
		// before the reader has run.
		_ = a.nc.SetReadDeadline(longAgo)
	}
}

// end tells the receiver, waits until the close frame is written and the client has closed its
// side, and closes the socket.
func (a *parked) end() {
	defer a.srv.remove(a.conn)
	defer a.hangUp()
	if !a.ended.Load() { // the receiver called runtime.Goexit
		a.crashed(nil)
	}
	a.grown = false
	a.freeInput()
	a.tellEnd()
}

// hangUp reads and drops bytes until the client has closed its side: if a socket is closed with
// unread bytes, the kernel drops what is on its way to the client. closeBy bounds the time, and
// lingerBytes the bytes.
func (a *parked) hangUp() {
	for n := 0; n < lingerBytes; {
		a.mu.Lock()
		a.hanging = true
		over := a.dead || a.srv.now() >= a.closeBy
		if !over {
			_ = a.nc.SetReadDeadline(a.srv.at(a.closeBy))
		}
		a.mu.Unlock()
		if over {
			break
		}
		p, err := a.read()
		n += len(p)
		a.freeInput()
		if err == io.EOF {
			a.awaitFlush() // the client has closed its side, but may still read
		}
		if err != nil && !isTimeout(err) {
			break
		}
	}
	a.mu.Lock()
	stuck := !a.flushed && !a.dead
	a.dead = true
	a.mu.Unlock()
	if stuck {
		a.abort()
		return
	}
	_ = a.nc.Close()
}

// awaitFlush waits until the close frame is written, or until closeBy.
func (a *parked) awaitFlush() {
	a.mu.Lock()
	if a.flushed || a.dead {
		a.mu.Unlock()
		return
	}
	wake := make(chan struct{})
	a.wake = wake
	timer := time.NewTimer(a.closeBy - a.srv.now())
	a.mu.Unlock()
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	}
}

// abort implements engine. It drops what the kernel still has for the client.
func (a *parked) abort() {
	nc := a.nc
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn() // closing TLS itself could wait, to send its alert
	}
	if l, ok := nc.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = nc.Close()
}

// isTimeout reports whether err is a timeout, as package net has it.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
