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
	// sweepEvery is the least time between two looks at the deadlines of all connections, and so
	// how late they may be noticed.
	sweepEvery = 50 * time.Millisecond
	// never stands for no deadline.
	never = 24 * time.Hour
	// fetchesInARow is how often events are fetched before connections that wait have their turn.
	fetchesInARow = 16
)

// pollers are the pollers of a server. A polled connection belongs to one of them.
type pollers struct {
	list      []poller
	last      atomic.Uint32 // the last one that got a connection
	floodgate *floodgate    // of their backlogs
}

// makePollers makes n pollers.
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

// next returns the poller for a new connection, or nil if there are none.
func (p *pollers) next() *poller {
	if len(p.list) == 0 {
		return nil
	}
	return &p.list[p.last.Add(1)%uint32(len(p.list))]
}

// poller waits with epoll for the sockets of many connections. It has a goroutine and descriptors
// only while it has connections. The goroutine waits for the epoll descriptor as Go waits for a
// socket: that blocks no thread, and takes less CPU than a system call that blocks.
//
// A connection is registered once, for all events, edge-triggered: the kernel reports each change,
// and nothing need be switched off while a connection is not read. Events name a slot and a
// generation, so an event for a connection that is gone finds none.
//
// The goroutine works in a loop: it fetches events, reads from connections whose clients were quiet,
// then from some that wait for their turn, and sweeps the deadlines when p.wake has passed. Only when
// there are no events it waits, until an event or p.wake.
type poller struct {
	srv    *server
	doWork func(fd uintptr) bool // p.work, made once

	mu    sync.Mutex // guards the fields below; may be taken while conn.mu is held
	epoll *os.File   // nil while there are no connections
	fd    int        // of epoll
	raw   syscall.RawConn
	slots []slot        // by conn.poll.slot
	free  []uint32      // unused slots
	count int           // connections
	gen   uint32        // of the latest connection
	wake  time.Duration // the deadline of epoll, on the server's clock

	// Only the goroutine uses these.
	buf     *readBuffer
	events  []unix.EpollEvent // those of fetched that are not served yet
	fetched [128]unix.EpollEvent
	again   turns         // connections with more to read; the poller is their reader
	looked  time.Duration // when the events were fetched, on the server's clock
	due     []*conn       // of sweep

	backlog backlog // connections that send more than the poller can read in time
}

// slot is a connection's place in its poller.
type slot struct {
	conn *conn
	due  time.Duration // when to call overdue, on the server's clock
}

// add begins to wait for a connection. It reports false if the system has no descriptors or memory
// for it.
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

// control registers a connection with epoll, or its registration again, and reports whether it
// could.
func (p *poller) control(op int, c *conn) bool {
	return unix.EpollCtl(p.fd, op, c.poll.fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLOUT | unix.EPOLLET,
		Fd:     int32(c.poll.slot), Pad: int32(c.poll.gen),
	}) == nil
}

// tellAgain makes the kernel report again what a connection is ready for.
func (p *poller) tellAgain(c *conn) bool { return p.control(unix.EPOLL_CTL_MOD, c) }

// remove removes a connection whose socket is about to be closed. Closing alone would not
// unregister it if another process had a duplicate of the socket.
func (p *poller) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, c.poll.fd, nil)
	p.removeLocked(c.poll.slot)
}

// removeLocked frees a slot. With the last one, the goroutine ends.
func (p *poller) removeLocked(i uint32) {
	p.slots[i] = slot{}
	p.free = append(p.free, i)
	if p.count--; p.count == 0 {
		p.wakeLocked(0)
	}
}

// lookAt makes the poller call overdue at a time, unless it does so earlier anyway. The time is
// rounded up, so that there are few sweeps.
func (p *poller) lookAt(c *conn, at time.Duration) {
	at = roundUp(at, sweepEvery)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := &p.slots[c.poll.slot]; at < s.due {
		s.due = at
		p.wakeLocked(at)
	}
}

// wakeLocked makes the goroutine sweep at a time, unless it does so earlier anyway.
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
	_ = unix.SetNonblock(fd, true) // makes NewFile use the runtime's poller
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

// closeLocked undoes openLocked and frees all memory.
func (p *poller) closeLocked() {
	_ = p.epoll.Close()
	p.epoll, p.raw, p.buf = nil, nil, nil
	p.slots, p.free, p.again, p.due = nil, nil, turns{}, nil
}

// run is the goroutine of the poller. It ends when no connection is left.
func (p *poller) run() {
	for {
		p.serveEvents()
		// The only error is that the deadline has passed.
		if err := p.raw.Read(p.doWork); err != nil && !p.sweep() {
			return
		}
	}
}

// readToTheEnd calls run until it returns. run calls receivers: if one calls runtime.Goexit, which
// ends the goroutine, another goroutine continues. The caller has counted the goroutine.
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

// work serves events. It returns false if there are no more: only then the goroutine may wait, and
// the kernel wakes it for new ones. Each call serves a bounded number, and deadlines come before
// the next call.
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

// fetch fetches events without waiting, and reports whether there may be more.
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

// serveEvents serves the fetched events. It reads from connections whose clients were quiet; the
// others must wait for their turn. If a receiver ends the goroutine, the next one continues with
// the rest.
func (p *poller) serveEvents() {
	for len(p.events) > 0 {
		e := p.events[0]
		p.events = p.events[1:]
		if c := p.find(&e); c != nil && (*polled)(c).ready(e.Events, p.buf[:]) {
			p.again.push(c)
		}
	}
}

// serveTurns reads from connections that wait for their turn, if they are few. The rest goes to the
// backlog, since bytes of other connections must not wait for all of them.
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

// find returns the connection of an event, or nil if it is gone.
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
