package bennu

import (
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/rate"
)

// Bounds of one step of a reader. A step is also at most a quarter of the queue of the client.
const (
	stepEntries = 64
	stepBytes   = 64 << 10
)

// turnSteps is how many steps a connection has before the next one has its turn, if its queue has room
// for so many.
const turnSteps = 8

// replays reads the history for the channels of one connection that are behind. They take turns. One
// goroutine of the replayers reads at a time for all of them, while the connection has room and entries
// are in memory.
type replays struct {
	socket *Socket

	// mu is taken after Channel.mu. It guards the fields below, except frames.
	mu      sync.Mutex
	list    []*reader          // the first is next
	running bool               // a goroutine reads, or will do so
	waiting bool               // resume will be called
	rate    rate.Bucket        // of Limits.ReplayRate
	notes   map[string]endNote // by topic
	noted   uint32             // the number of the last note
	hands   hands

	frames []*entryFrames // memory for one step
}

// replays returns the replays of the connection, and makes them if there are none.
func (s *Socket) replays() *replays {
	if r := s.history.Load(); r != nil {
		return r
	}
	s.history.CompareAndSwap(nil, &replays{socket: s})
	return s.history.Load()
}

// add makes the readers read for a channel that has fallen behind.
func (r *replays) add(c *Channel) {
	r.insert(&reader{c: c, replays: r})
}

// insert puts a reader at the end of the list.
func (r *replays) insert(d *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, d)
	r.startLocked()
}

// startLocked queues r at the replayers, unless it is there or has nothing to do.
func (r *replays) startLocked() {
	if r.running || r.waiting || len(r.list) == 0 {
		return
	}
	r.running = true
	r.socket.node.replayers.start(r)
}

// resume ends a wait.
func (r *replays) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = false
	r.startLocked()
}

// run lets the readers step. It reports whether there is more to do when the other connections have had
// their turn.
func (r *replays) run() (more bool) {
	for range turnSteps {
		d := r.next()
		if d == nil {
			return false
		}
		if d.step() {
			r.mu.Lock()
			r.list = append(r.list, d)
			r.mu.Unlock()
		}
	}
	return true
}

// next returns the reader whose turn it is, or nil if there is nothing to do now: there is none, or the
// connection has no room, or it has got as much as Limits.ReplayRate allows.
func (r *replays) next() *reader {
	if !r.hasRoom() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		r.running, r.list = false, nil
		return nil
	}
	if wait := r.pauseLocked(); wait > 0 {
		r.running, r.waiting = false, true
		time.AfterFunc(wait, r.resume)
		return nil
	}
	d := r.list[0]
	r.list[0] = nil
	r.list = r.list[1:]
	return d
}

// hasRoom reports whether the queue of the connection is low. If it is not, resume is called when it
// is.
func (r *replays) hasRoom() bool {
	conn, ok := r.socket.conn.(ability.Offerer)
	if !ok {
		return true
	}
	// Before the call, since resume may be called before it returns.
	r.mu.Lock()
	r.running, r.waiting = false, true
	r.mu.Unlock()
	if !conn.OnLow(r.resume) {
		return false
	}
	r.mu.Lock()
	r.running, r.waiting = true, false
	r.mu.Unlock()
	return true
}

// pauseLocked returns how long it is until Limits.ReplayRate allows one more message.
func (r *replays) pauseLocked() time.Duration {
	perSecond := r.socket.handler.limits.ReplayRate
	wait := r.rate.Wait(r.socket.node.now(), perSecond, perSecond)
	if wait > 0 {
		wait++ // it was rounded down
	}
	return wait
}

// grant returns how many of n messages Limits.ReplayRate allows now.
func (r *replays) grant(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, perSecond := r.socket.node.now(), r.socket.handler.limits.ReplayRate
	for i := range n {
		if !r.rate.Take(now, perSecond, perSecond) {
			return i
		}
	}
	return n
}

// step returns the bounds of one step for a client.
func (o outbound) step() (entries, bytes int) {
	return min(stepEntries, max(1, o.messages/4)), min(stepBytes, o.bytes/4)
}
