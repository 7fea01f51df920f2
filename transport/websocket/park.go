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

// lateGrace is how long reading what has come may take when its deadline is over.
const lateGrace = 50 * time.Millisecond

// longAgo wakes whoever waits for a socket, as a deadline.
var longAgo = time.Unix(1, 0)

// blockBuffer is the buffer of sockets without raw, which must hold one while
// they wait for the rest of a frame.
type blockBuffer [4 << 10]byte

var blockBuffers = sync.Pool{New: func() any { return new(blockBuffer) }}

// parked is a connection with engine A: its reader is a goroutine that waits for the
// socket.
type parked struct {
	*conn
	nc       net.Conn
	raw      syscall.RawConn       // nil where the socket must be used through nc
	readable func(fd uintptr) bool // a.readNow, made once
	opened   bool
	grown    bool          // the stack has grown, and renewEvery is over
	renewed  time.Duration // when this goroutine began, on the server's clock; long ago for the first

	in    *readBuffer // what readNow has read
	inN   int
	inErr error
	block *blockBuffer // the buffer of a socket without raw, within a frame
	small [16]byte     // where such a socket is read otherwise
}

func newParked(c *conn, nc net.Conn) *parked {
	a := &parked{conn: c, nc: nc, raw: rawConn(nc), renewed: -renewEvery}
	if a.raw != nil {
		a.readable = a.readNow
	}
	return a
}

// rawConn returns the socket of nc, if it can be used without nc. Only the very
// types of net count: one that embeds them may change what its Read returns.
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

func (a *parked) start(early []byte) { go a.run(early) }

// renewEvery is how often a connection may go on in a new goroutine. A connection that
// is busy shall not, and one that is idle has a small stack in the end.
const renewEvery = time.Second

// run is the goroutine of the connection. What arrived together with the
// handshake comes first.
func (a *parked) run(early []byte) {
	renew := false
	defer func() {
		if renew {
			go a.run(nil)
			return
		}
		// A panic or Goexit of the receiver comes here, too.
		defer a.srv.goroutines.Done()
		a.end()
	}()
	renew = a.serve(early)
}

// serve reads until the connection ends, or until it has nothing to read and shall go on
// in a new goroutine: what the receiver does makes the stack grow, and one that waits in
// it cannot be made small again.
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

// consumeAll consumes p, in turn or at once, and holds as often as the receiver asks.
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

// cloneInput copies what is left of the input, so that no buffer is held by who waits.
func (a *parked) cloneInput(p []byte) []byte {
	p = bytes.Clone(p)
	a.freeInput()
	return p
}

// watchIdle sets the deadline for reading from when the client was last heard. When that is
// over it asks the client, or closes the connection. It is not called for each read.
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
		// It must not count as late, for instance when the process was stopped for a
		// while, and is read only before a deadline.
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
	if !a.ended.Load() { // otherwise it would undo the deadline that wakes the reader
		_ = a.nc.SetReadDeadline(a.srv.at(until))
	}
	a.mu.Unlock()
	if flush {
		a.srv.scheduleLater(a.conn)
	}
}

// unread reports whether something has come that is not read yet, where the kernel can tell.
func (a *parked) unread() bool { return a.ask(isReadable) }

// hungUp implements engine.
func (a *parked) hungUp() bool { return a.ask(isHungUp) }

// ask asks the kernel about the socket, below TLS too. The answer is false where it cannot tell.
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

// read waits for bytes. They are valid until freeInput.
func (a *parked) read() ([]byte, error) {
	if a.raw != nil {
		if err := a.raw.Read(a.readable); err != nil {
			return nil, err
		}
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

// readNow reads once, into a buffer that it has only if there is something.
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
		// The later deadline must wait for hangUp: one that passed is forgotten if it
		// is moved before the reader has run.
		_ = a.nc.SetReadDeadline(longAgo)
	}
}

// end tells the receiver, sees the close frame out and closes the socket.
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

// hangUp reads and throws away until the client has closed its side, because
// closing a socket that has unread bytes destroys what is on its way to the
// client. It is bounded in time by closeBy and in bytes.
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
			a.awaitFlush() // a client that has closed its side may still read
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

// abort implements engine. It does not wait for what is in the socket.
func (a *parked) abort() {
	nc := a.nc
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn() // closing TLS would wait to send its goodbye
	}
	if l, ok := nc.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = nc.Close()
}

// isTimeout reports whether err says that a deadline passed.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
