package websocket

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// floodgate bounds how many connections are read at one time, of those whose clients send without a
// pause. Without it, each of them, and each channel that it keeps busy, would get a share of the
// processors, and a client that seldom sends would wait for all of them.
//
// There is one for parked connections, and one for the backlogs of the pollers. A client counts as one
// that sends without a pause if it was not quiet before a read; see conn.quiet.
type floodgate struct {
	places int // connections that may be read at one time

	mu      sync.Mutex
	inside  []*visit    // those that have a place, the earliest first
	waiting []*visit    // those that wait for a place, the earliest first
	late    *time.Timer // calls overdue
}

// visit is one call of enter, until leave.
type visit struct {
	since time.Time     // when it got its place
	begun chan struct{} // closed when it gets a place; nil if it did not wait
}

// visits keeps visits for later calls of enter, of which there may be thousands a second.
var visits = sync.Pool{New: func() any { return new(visit) }}

const (
	// quietFor is the pause after which a client need not wait for its turn.
	quietFor = 10 * time.Millisecond
	// burstBytes is how many bytes may come before the pause must be calmFor: a client that sends
	// all the time seems quiet while the server is late to read it.
	burstBytes = len(readBuffer{})
	calmFor    = 250 * time.Millisecond
)

// quiet reports whether a client has paused for so long that it need not wait for its turn. The
// caller is the reader.
func (c *conn) quiet(now time.Duration) bool {
	pause := quietFor
	if c.burst > uint32(burstBytes) {
		pause = calmFor
	}
	return now-c.heard >= pause
}

// gateTime is how long a place may be held while others wait. Only a connection whose serializer
// blocks holds one longer; its place then goes to another.
const gateTime = time.Second

// newFloodgate returns a floodgate with half as many places as there are processors.
func newFloodgate() *floodgate {
	return &floodgate{places: max(1, runtime.GOMAXPROCS(0)/2)}
}

// enter waits for a place, first come, first served. Each call needs one of leave.
func (g *floodgate) enter() *visit {
	v := visits.Get().(*visit)
	g.mu.Lock()
	if len(g.inside) < g.places {
		g.admitLocked(v)
		g.mu.Unlock()
		return v
	}
	v.begun = make(chan struct{})
	g.waiting = append(g.waiting, v)
	if len(g.waiting) == 1 {
		g.awaitLocked()
	}
	g.mu.Unlock()
	<-v.begun
	runtime.Gosched() // lets the channels handle the messages of earlier connections first
	return v
}

// admitLocked gives v a place.
func (g *floodgate) admitLocked(v *visit) {
	v.since = time.Now()
	g.inside = append(g.inside, v)
}

// full reports whether the next call of enter would wait.
func (g *floodgate) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.inside) == g.places
}

// leave gives the place of v back, unless overdue has given it to another.
func (g *floodgate) leave(v *visit) {
	g.mu.Lock()
	if i := slices.Index(g.inside, v); i >= 0 {
		g.nextLocked(i)
	}
	g.mu.Unlock()
	*v = visit{}
	visits.Put(v)
}

// nextLocked takes the place of inside[i] and gives it to the one that has waited longest.
func (g *floodgate) nextLocked(i int) {
	g.inside = slices.Delete(g.inside, i, i+1)
	if len(g.waiting) == 0 {
		return
	}
	v := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	g.admitLocked(v)
	close(v.begun)
}

// awaitLocked sets the timer for when the earliest visit has had its place for gateTime.
func (g *floodgate) awaitLocked() {
	left := gateTime - time.Since(g.inside[0].since)
	if g.late == nil {
		g.late = time.AfterFunc(left, g.overdue)
		return
	}
	g.late.Reset(left)
}

// overdue is called by the timer. It takes places that were held for gateTime, while others wait.
func (g *floodgate) overdue() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n := len(g.inside); n > 0 && len(g.waiting) > 0 && time.Since(g.inside[0].since) >= gateTime; n-- {
		g.nextLocked(0)
	}
	if len(g.waiting) > 0 {
		g.awaitLocked()
	}
}
