package bench

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

type connState uint8

const (
	idle       connState = iota // has no socket
	connecting                  // until TCP is connected
	upgrading                   // until the answer to the upgrade is there
	open
)

// maxUnsent bounds the bytes of a connection that wait for a server that does not read.
const maxUnsent = 4 << 20

// conn is one client. There are many, so it is small: between messages it has no buffer.
type conn struct {
	in      frameReader
	unsent  []byte
	begun   time.Duration // when its first try to connect began
	fd      int32
	age     int32  // number of its sockets so far, to recognize late events
	last    uint32 // number of the last broadcast
	joined  uint32 // topics of its own
	missed  uint16 // turns for a heartbeat since one was sent
	shared  uint8  // topics of all that it joined, by loop.sharedBit
	state   connState
	tries   uint8
	beating bool // a heartbeat is unanswered
	paused  bool // not read
	broken  bool // nothing can be sent any more
	waits   bool // for the socket to be writable
	cast    bool // counts as a subscriber of the running broadcasts
}

// A loss is the end of a connection by the server or the network.
type loss struct {
	code int   // of the close frame, 0 without one
	err  error // how else it ended; nil at a close frame
}

// name returns the key under which the loss is counted.
func (l loss) name() string {
	switch {
	case l.code != 0:
		return strconv.Itoa(l.code)
	case errors.Is(l.err, io.EOF):
		return "end"
	case errors.Is(l.err, unix.ECONNREFUSED):
		return "refused"
	case errors.Is(l.err, unix.ECONNRESET), errors.Is(l.err, unix.EPIPE):
		return "reset"
	}
	var u *UpgradeError
	if errors.As(l.err, &u) {
		return u.Reason
	}
	return l.err.Error()
}

// explain returns the loss as an error.
func (l loss) explain() error {
	switch {
	case l.code != 0:
		return fmt.Errorf("the server closed the connection with %d", l.code)
	case errors.Is(l.err, io.EOF):
		return errors.New("the server ended the connection without a close frame")
	}
	return l.err
}

// temporary reports whether another attempt to connect may succeed.
func (l loss) temporary() bool {
	var u *UpgradeError
	if errors.As(l.err, &u) {
		return u.Busy()
	}
	var p *ProtocolError
	return !errors.As(l.err, &p)
}

// ProtocolError says how a server has broken the protocol.
type ProtocolError struct{ Err error }

// Error implements error.
func (e *ProtocolError) Error() string { return "the server sent " + e.Err.Error() }

// Unwrap returns the fault.
func (e *ProtocolError) Unwrap() error { return e.Err }

// dial begins to connect. The phase gets the result. An error is one of this machine, such as too few
// open files.
func (l *loop) dial(i int) error {
	c := &l.conns[i]
	fd, err := unix.Socket(l.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open a socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // without it, it is only slower
	if l.sources > 0 {
		// The port is chosen at connect, when it only has to differ for this target.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + i%l.sources)}}); err != nil {
			unix.Close(fd)
			return fmt.Errorf("cannot connect from 127.0.0.%d: %w", 2+i%l.sources, err)
		}
	}
	c.fd, c.age, c.state = int32(fd), c.age+1, connecting
	if err := unix.Connect(fd, l.sockaddr); err != nil && err != unix.EINPROGRESS {
		if err == unix.EADDRNOTAVAIL {
			l.release(i)
			return fmt.Errorf("no ports are left to connect from; use more --sources: %w", err)
		}
		l.lose(i, loss{err: err})
		return nil
	}
	c.waits = true
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, l.interest(i)); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// interest returns the events for which epoll watches a connection.
func (l *loop) interest(i int) *unix.EpollEvent {
	c := &l.conns[i]
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i), Pad: c.age}
	if c.waits {
		e.Events |= unix.EPOLLOUT
	}
	return &e
}

// watch updates epoll after a change of c.waits.
func (l *loop) watch(i int, waits bool) {
	c := &l.conns[i]
	if c.waits == waits || c.paused {
		c.waits = waits
		return
	}
	c.waits = waits
	// It fails if the socket is gone, which reading finds out, too.
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, int(c.fd), l.interest(i))
}

// pause removes a connection from epoll: it is not read, and even its end is not noticed.
func (l *loop) pause(i int) {
	c := &l.conns[i]
	c.paused = true
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, int(c.fd), nil)
}

// resume undoes pause.
func (l *loop) resume(i int) error {
	c := &l.conns[i]
	if !c.paused {
		return nil
	}
	c.paused, c.beating = false, false
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, int(c.fd), l.interest(i)); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// release closes the socket of a connection and resets its state.
func (l *loop) release(i int) {
	c := &l.conns[i]
	if c.state == idle {
		return
	}
	if c.state == open {
		l.opened--
	}
	unix.Close(int(c.fd))
	*c = conn{fd: -1, age: c.age, begun: c.begun, tries: c.tries}
}

// drop cuts a connection as a broken network does.
func (l *loop) drop(i int) {
	if c := &l.conns[i]; c.state != idle {
		_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		l.release(i)
	}
}

// leave closes a connection with a close frame.
func (l *loop) leave(i int) {
	c := &l.conns[i]
	if c.state == open && len(c.unsent) == 0 {
		_, _ = unix.Write(int(c.fd), appendClose(nil, l.mask, 1000))
	}
	l.release(i)
}

// lose releases a connection that the server or the network has ended, and calls lost of the phase.
func (l *loop) lose(i int, why loss) {
	was := l.conns[i]
	l.release(i)
	l.phase.lost(i, &was, why)
}
