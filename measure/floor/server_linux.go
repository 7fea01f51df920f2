package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

type server struct {
	epoll  int
	gather bool
	in     [64 << 10]byte
	conns  []*conn // by file descriptor
	topics map[string]*topic
	dirty  []*conn // have something in out, with gather
	gone   []*conn // to be closed after the batch of events
}

// topic is one that has subscribers. A topic with a dash in its name belongs to one
// connection alone in a benchmark, and is not remembered.
type topic struct{ joined []*conn }

type conn struct {
	fd   int
	open bool   // upgraded
	dead bool   // its number may be given to another soon
	rest []byte // of a request or frame that is not whole
	out  []byte
}

// serve runs until the process is killed.
func serve(addr string, gather bool) error {
	runtime.LockOSThread()
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().Is4() {
		return fmt.Errorf("%q is not an IPv4 address and a port, such as 127.0.0.1:4020", addr)
	}
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(ln, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(ln, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	if err := unix.Listen(ln, 4096); err != nil {
		return err
	}
	name, err := unix.Getsockname(ln)
	if err != nil {
		return err
	}
	s := &server{gather: gather, topics: map[string]*topic{}}
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if err := s.watch(ln); err != nil {
		return err
	}
	fmt.Printf(`{"url":"ws://%s:%d/socket","pid":%d}`+"\n", at.Addr(), name.(*unix.SockaddrInet4).Port, os.Getpid())
	events := make([]unix.EpollEvent, 1024)
	for {
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == ln {
				s.accept(ln)
			} else if c := s.conns[ev.Fd]; !c.dead {
				s.read(c)
			}
		}
		for _, c := range s.dirty {
			s.write(c, c.out)
			c.out = nil
		}
		s.dirty = s.dirty[:0]
		for _, c := range s.gone {
			s.conns[c.fd] = nil
			_ = unix.Close(c.fd)
		}
		s.gone = s.gone[:0]
	}
}

func (s *server) watch(fd int) error {
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (s *server) accept(ln int) {
	for {
		fd, _, err := unix.Accept4(ln, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		for len(s.conns) <= fd {
			s.conns = append(s.conns, nil)
		}
		s.conns[fd] = &conn{fd: fd}
		if s.watch(fd) != nil {
			_ = unix.Close(fd)
		}
	}
}

func (s *server) read(c *conn) {
	n, err := unix.Read(c.fd, s.in[:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return
	case err != nil || n == 0:
		s.drop(c)
		return
	}
	p := s.in[:n]
	if c.rest != nil {
		p = append(c.rest, p...)
		c.rest = nil
	}
	if !c.open {
		i := bytes.Index(p, []byte("\r\n\r\n"))
		if i < 0 {
			c.rest = bytes.Clone(p)
			return
		}
		s.upgrade(c, p[:i+2])
		p = p[i+4:]
	}
	if p = s.frames(c, p); len(p) > 0 && !c.dead {
		c.rest = bytes.Clone(p)
	}
}

// drop forgets a connection. Its number is given back when nobody can mean it any more.
func (s *server) drop(c *conn) {
	if c.dead {
		return
	}
	c.dead = true // a topic finds that out when it next has something for it
	s.gone = append(s.gone, c)
}

func (s *server) upgrade(c *conn, head []byte) {
	var key []byte
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("sec-websocket-key")) {
			key = bytes.TrimSpace(value)
		}
	}
	sum := sha1.Sum(append(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	c.open = true
	s.write(c, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n"))
}

// send writes a frame, or keeps it for the end of the batch of events.
func (s *server) send(c *conn, frame []byte) {
	if !s.gather {
		s.write(c, frame)
		return
	}
	if c.out == nil {
		s.dirty = append(s.dirty, c)
	}
	c.out = append(c.out, frame...)
}

// write is one system call. A client that does not take all of it at once is
// dropped: to keep the rest is what servers are for.
func (s *server) write(c *conn, p []byte) {
	if c.dead {
		return
	}
	if n, err := unix.Write(c.fd, p); err != nil || n < len(p) {
		s.drop(c)
	}
}
