//go:build !noepoll

package websocket

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sweepEvery is the shortest time between two looks at the deadlines of all
	// connections, and so how late they may be noticed.
	sweepEvery = 50 * time.Millisecond
	// never is far enough away.
	never = 24 * time.Hour
	// fetchesInARow is how often events are fetched before those have their turn.
	fetchesInARow = 16
)

// pollers are those of engine B. A connection belongs to one of them.
type pollers struct {
	list      []poller
	last      atomic.Uint32
	floodgate *floodgate // of their backlogs
}

// makePollers makes n pollers; with none, engine B is not used.
func (s *server) makePollers(n int) {
	s.pollers.list = make([]poller, n)
	s.pollers.floodgate = newFloodgate()
	for i := range s.pollers.list {
		p := &s.pollers.list[i]
		p.srv = s
		p.doWork = p.work
		p.backlog.srv = s
	}
}

// next is the poller for a new connection, or nil.
func (p *pollers) next() *poller {
	if len(p.list) == 0 {
		return nil
	}
	return &p.list[p.last.Add(1)%uint32(len(p.list))]
}

// poller waits for the sockets of many connections with epoll. It has a goroutine, and
// descriptors, only while it has connections. The goroutine waits for the epoll instance
// as it would for a socket: that blocks no thread, and takes less CPU than a system call
// that does.
//
// A connection is registered once, for everything and by edges: the kernel tells of each
// change, and nothing need be switched off while a connection is not read from.
// Events name a slot and the generation of what was put there, so that one for a
// connection that is gone finds nobody.
type poller struct {
	srv    *server
	doWork func(fd uintptr) bool // p.work, made once

	mu    sync.Mutex // taken after that of a connection
	epoll *os.File   // nil while there are no connections
	fd    int        // of epoll
	raw   syscall.RawConn
	slots []slot
	free  []uint32
	count int
	gen   uint32
	wake  time.Duration // the deadline of epoll, on the server's clock

	// Used by the goroutine alone.
	buf     *readBuffer
	events  []unix.EpollEvent // fetched, and not served yet
	fetched [128]unix.EpollEvent
	again   turns         // those with more to read, whose reader the poller is
	looked  time.Duration // when the events were fetched, on the server's clock
	due     []*conn

	backlog backlog // of those that send more than the poller can read at once
}

// slot is a connection's place in its poller.
type slot struct {
	conn *conn
	due  time.Duration // when overdue shall be called, on the server's clock
}

// add begins to wait for a connection. It reports false when the system has no means left.
func (p *poller) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoll == nil && !p.openLocked() {
		return false
	}
	var i uint32
	if n := len(p.free); n > 0 {
		i, p.free = p.free[n-1], p.free[:n-1]
	} else {
		i = uint32(len(p.slots))
		p.slots = append(p.slots, slot{})
	}
	p.gen++
	p.count++
	c.poll.poller, c.poll.slot, c.poll.gen = p, i, p.gen
	now := p.srv.now()
	due := now + never
	if c.lim.idle > 0 {
		due = firstDue(now, c.lim)
	}
	p.slots[i] = slot{c, due}
	p.wakeLocked(due)
	if !p.control(unix.EPOLL_CTL_ADD, c) {
		p.removeLocked(i)
		return false
	}
	return true
}

// control registers a connection, or changes nothing of that.
func (p *poller) control(op int, c *conn) bool {
	return unix.EpollCtl(p.fd, op, c.poll.fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLOUT | unix.EPOLLET,
		Fd:     int32(c.poll.slot), Pad: int32(c.poll.gen),
	}) == nil
}

// tellAgain has the kernel tell again of what a connection is ready for.
func (p *poller) tellAgain(c *conn) bool { return p.control(unix.EPOLL_CTL_MOD, c) }

// remove forgets a connection whose socket is about to be closed. Closing alone would
// not do, if something else still had a duplicate of it.
func (p *poller) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, c.poll.fd, nil)
	p.removeLocked(c.poll.slot)
}

func (p *poller) removeLocked(i uint32) {
	p.slots[i] = slot{}
	p.free = append(p.free, i)
	if p.count--; p.count == 0 {
		p.wakeLocked(0)
	}
}

// lookAt makes the poller call overdue at some time, if it would not do so earlier. It is
// rounded up, so that the sweeps are not too many.
func (p *poller) lookAt(c *conn, at time.Duration) {
	at = roundUp(at, sweepEvery)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := &p.slots[c.poll.slot]; at < s.due {
		s.due = at
		p.wakeLocked(at)
	}
}

// wakeLocked makes the goroutine sweep at some time, or earlier.
func (p *poller) wakeLocked(at time.Duration) {
	if at < p.wake {
		p.wake = at
		_ = p.epoll.SetReadDeadline(p.srv.at(at))
	}
}

// openLocked makes the epoll instance and starts the goroutine.
func (p *poller) openLocked() bool {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	_ = unix.SetNonblock(fd, true) // so that NewFile lets the runtime wait for it
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	p.wake = p.srv.now() + never
	if err != nil || file.SetReadDeadline(p.srv.at(p.wake)) != nil {
		_ = file.Close()
		return false
	}
	p.epoll, p.fd, p.raw = file, fd, raw
	p.buf = new(readBuffer)
	p.srv.goroutines.Add()
	go p.srv.readToTheEnd(p.run)
	return true
}

// closeLocked gives back what openLocked took, and everything else.
func (p *poller) closeLocked() {
	_ = p.epoll.Close()
	p.epoll, p.raw, p.buf = nil, nil, nil
	p.slots, p.free, p.again, p.due = nil, nil, turns{}, nil
}

// run is the goroutine.
func (p *poller) run() {
	for {
		p.serveEvents()
		// The only error is that of the deadline.
		if err := p.raw.Read(p.doWork); err != nil && !p.sweep() {
			return
		}
	}
}

// readToTheEnd runs a function that calls receivers until it returns: one that calls
// runtime.Goexit ends the goroutine, and the next one goes on. The caller has counted it.
func (s *server) readToTheEnd(run func()) {
	over := false
	defer func() {
		if over {
			s.goroutines.Done()
		} else {
			go s.readToTheEnd(run)
		}
	}()
	run()
	over = true
}

// work serves what the kernel has to tell. It reports false when there is no more: only
// then may the goroutine wait, and the kernel tells it of all that came since. Each call does
// a bounded part of it, and the deadlines come before the next.
func (p *poller) work(uintptr) (more bool) {
	for range fetchesInARow {
		more = p.fetch()
		p.serveEvents()
		if !more {
			break
		}
	}
	p.serveTurns()
	return more
}

// fetch gets events without waiting, and reports whether there may be more.
func (p *poller) fetch() (more bool) {
	for {
		n, err := unix.EpollWait(p.fd, p.fetched[:], 0)
		if err == unix.EINTR {
			continue
		}
		p.events = p.fetched[:max(n, 0)]
		p.looked = p.srv.now()
		return n == len(p.fetched)
	}
}

// serveEvents reads from the connections that there are events for, if their clients were
// quiet before; the others wait for their turn. When the receiver ends the goroutine, the next
// one goes on with the rest.
func (p *poller) serveEvents() {
	for len(p.events) > 0 {
		e := p.events[0]
		p.events = p.events[1:]
		if c := p.find(&e); c != nil && (*polled)(c).ready(e.Events, p.buf[:]) {
			p.again.push(c)
		}
	}
}

// serveTurns reads from those that wait for their turn, if they are few. What has come for
// others meanwhile must not wait for all of them, so the rest goes to the backlog.
func (p *poller) serveTurns() {
	if p.again.len() == 0 {
		return
	}
	if !p.backlog.served() {
		p.again.serve(p.srv, p.buf[:], turnsInARow)
	}
	if p.again.len() > 0 {
		p.backlog.take(&p.again)
	}
}

// find is the connection that an event is for, or nil if it is gone.
func (p *poller) find(e *unix.EpollEvent) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := int(e.Fd); i < len(p.slots) {
		if c := p.slots[i].conn; c != nil && int32(c.poll.gen) == e.Pad {
			return c
		}
	}
	return nil
}
