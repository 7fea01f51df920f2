package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// A phase is a part of the run. The loop calls its methods, in its goroutine.
type phase interface {
	// step sends what is due. The loop calls it again at the time next, or earlier.
	step(now time.Duration) (next time.Duration, done bool, err error)
	// progress returns the text of the progress line.
	progress() string
	// opened is called when a connection has been upgraded.
	opened(i int)
	// reply is called for the reply to a push.
	reply(i int, k kind, n int, ok bool, response []byte)
	// event is called for a message with the marker of the run that is not a reply.
	event(i int, k kind, n int)
	// ended is called when the server has ended a channel.
	ended(i int, m *message)
	// lost is called when a connection has ended; was is its state before that.
	lost(i int, was *conn, why loss)
}

// quiet is a phase in which nothing happens. Others embed it. A connection that is lost
// counts as a fault.
type quiet struct{ l *loop }

func (q quiet) progress() string                   { return "waiting" }
func (q quiet) opened(int)                         {}
func (q quiet) reply(int, kind, int, bool, []byte) {}
func (q quiet) event(int, kind, int)               {}
func (q quiet) ended(int, *message)                {}
func (q quiet) lost(_ int, was *conn, why loss)    { q.l.fault(was, why) }
func (q quiet) step(now time.Duration) (time.Duration, bool, error) {
	return now + time.Second, false, nil
}

// loop has all connections. One goroutine drives them with epoll.
type loop struct {
	o         *options
	handshake *handshake
	sockaddr  unix.Sockaddr
	family    int
	sources   int // source addresses, 0 for whatever the system takes
	mask      [4]byte
	marker    marker
	server    process
	self      process
	report    *Report
	show      *progress

	conns  []conn
	opened int
	epoll  int
	timer  int
	events []unix.EpollEvent
	began  time.Time
	now    time.Duration // since began
	alive  time.Duration // time of the last progress
	phase  phase

	beat     int           // the connection whose turn it is
	beatFrom time.Duration // since when the beats of this phase are counted
	beats    int

	buf, text, frame, cork, payload []byte
	corked                          int // the connection whose answers are collected for one write, or -1

	// What is sent, as JSON.
	topicJSON                                                           string
	joinEvent, echoEvent, castEvent, collectEvent, castTopic, slowTopic []byte
	echoPayload, castPayload                                            template
	refs                                                                struct{ join, ref, topic []byte }
}

func newLoop(o *options, t *target, r *Report, show *progress) (*loop, error) {
	if err := raiseFiles(o.connections + reserve); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	before, err := process{os.Getpid()}.memory()
	if err != nil {
		return nil, err
	}
	if _, err := (process{o.pid}).memory(); err != nil {
		return nil, err
	}
	l := &loop{
		o: o, report: r, show: show, corked: -1, began: time.Now(),
		server: process{o.pid}, self: process{os.Getpid()},
		conns: make([]conn, o.connections), events: make([]unix.EpollEvent, 512), buf: make([]byte, 256<<10),
		joinEvent: []byte(`"phx_join"`),
	}
	for i := range l.conns {
		l.conns[i].fd = -1
	}
	l.phase = quiet{l}
	var random [26]byte
	_, _ = rand.Read(random[:]) // never fails
	l.mask, l.marker = [4]byte(random[:4]), newMarker(hex.EncodeToString(random[4:10]))
	l.handshake = newHandshake(t, [16]byte(random[10:]))
	l.sockaddr, l.family = &unix.SockaddrInet4{Addr: [4]byte{}, Port: int(t.addr.Port())}, unix.AF_INET
	if ip := t.addr.Addr(); ip.Is4() {
		l.sockaddr = &unix.SockaddrInet4{Addr: ip.As4(), Port: int(t.addr.Port())}
		if ip.IsLoopback() {
			l.sources = o.sources
		}
	} else {
		l.sockaddr, l.family = &unix.SockaddrInet6{Addr: ip.As16(), Port: int(t.addr.Port())}, unix.AF_INET6
	}
	l.report.Memory = &Memory{BenchBefore: before}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err == nil {
		err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.timer, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
	}
	if err != nil {
		unix.Close(l.epoll)
		return nil, fmt.Errorf("timer: %w", err)
	}
	return l, nil
}

func (l *loop) close() {
	for i := range l.conns {
		l.leave(i)
	}
	unix.Close(l.timer)
	unix.Close(l.epoll)
}

// errStalled ends a phase that has made no progress for too long.
var errStalled = errors.New("nothing happened for too long")

// useful records progress of the phase, so that it does not count as stalled.
func (l *loop) useful() { l.alive = l.now }

// run drives the connections until the phase is done, has stalled (errStalled), or ctx ends.
func (l *loop) run(ctx context.Context, p phase) error {
	l.phase = p
	defer func() { l.phase = quiet{l} }()
	l.tick()
	l.useful()
	for {
		next, done, err := p.step(l.now)
		if done || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.now-l.alive > l.o.timeout {
			return errStalled
		}
		l.heartbeats()
		l.show.update(l.now, l.opened, p)
		// ctx is looked at, and the line drawn, a few times a second.
		until := min(next, l.now+50*time.Millisecond)
		if err := l.wait(until); err != nil {
			return err
		}
		if stood := l.now - until; stood > time.Second {
			l.alive = min(l.now, l.alive+stood) // this process was stopped, which must not count as a stall
		}
	}
}

func (l *loop) tick() { l.now = time.Since(l.began) }

// wait handles events of epoll until a time, and at least those that are there.
func (l *loop) wait(until time.Duration) error {
	timeout := 0
	if d := until - l.now; d > 0 {
		// epoll alone counts in milliseconds.
		if err := unix.TimerfdSettime(l.timer, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil); err != nil {
			return fmt.Errorf("timer: %w", err)
		}
		timeout = -1
	}
	n, err := unix.EpollWait(l.epoll, l.events, timeout)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("epoll: %w", err)
	}
	l.tick()
	for _, e := range l.events[:max(n, 0)] {
		if e.Fd < 0 {
			var count [8]byte
			_, _ = unix.Read(l.timer, count[:]) // EAGAIN when it was set anew
			continue
		}
		i := int(e.Fd)
		c := &l.conns[i]
		if c.age != e.Pad || c.state == idle || c.paused {
			continue // of a socket that is gone
		}
		if c.state == connecting {
			l.connected(i)
			continue
		}
		if e.Events&unix.EPOLLOUT != 0 && c.waits {
			l.flush(i)
		}
		if e.Events&^unix.EPOLLOUT != 0 && c.age == e.Pad && c.state != idle {
			l.tick() // latencies are taken from it
			l.read(i)
		}
	}
	return nil
}

// connected asks for the upgrade once TCP is connected.
func (l *loop) connected(i int) {
	c := &l.conns[i]
	code, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		l.lose(i, loss{err: err})
		return
	}
	c.state = upgrading
	age := c.age
	l.send(i, l.handshake.request)
	if c.age == age && c.state == upgrading && len(c.unsent) == 0 {
		l.watch(i, false)
	}
}

// fault counts a connection that was lost unexpectedly.
func (l *loop) fault(was *conn, why loss) {
	if was.state == open {
		note(&l.report.Faults.Closed, why.name())
	} else {
		note(&l.report.Faults.Refused, why.name())
	}
}
