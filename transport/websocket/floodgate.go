package websocket

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// floodgate bounds how many connections are read from at one time, of those whose clients send
// without a pause. Otherwise each of them would have its share of the processors, and so would
// the channels that they keep busy: a client that seldom sends would wait for all of them.
type floodgate struct {
	places int

	mu      sync.Mutex
	inside  []*visit // those who have a place, the first first
	waiting []*visit // for one, too
	late    *time.Timer
}

// visit is one stay behind a floodgate.
type visit struct {
	since time.Time
	begun chan struct{} // closed when it has a place; nil if it did not wait
}

var visits = sync.Pool{New: func() any { return new(visit) }}

const (
	// quietFor is how long nothing has come from a client that need not wait for its turn.
	quietFor = 10 * time.Millisecond
	// burstBytes is how much may have come since, before the pause must be calmFor: a client
	// that sends all the time seems to be quiet while the server is late to read it.
	burstBytes = len(readBuffer{})
	calmFor    = 250 * time.Millisecond
)

// quiet reports whether a client has paused for long enough that it need not wait for its turn.
// The caller is the reader.
func (c *conn) quiet(now time.Duration) bool {
	pause := quietFor
	if c.burst > uint32(burstBytes) {
		pause = calmFor
	}
	return now-c.heard >= pause
}

// gateTime is how long a place may be held while others wait. A place is held longer only by a
// connection whose serializer blocks; then it goes to another one.
const gateTime = time.Second

// newFloodgate lets half as many through as there are processors.
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
	runtime.Gosched() // what the ones before have made is done before there is more
	return v
}

func (g *floodgate) admitLocked(v *visit) {
	v.since = time.Now()
	g.inside = append(g.inside, v)
}

// full reports whether the next one must wait.
func (g *floodgate) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.inside) == g.places
}

// leave gives a place back, if it has not gone to another one.
func (g *floodgate) leave(v *visit) {
	g.mu.Lock()
	if i := slices.Index(g.inside, v); i >= 0 {
		g.nextLocked(i)
	}
	g.mu.Unlock()
	*v = visit{}
	visits.Put(v)
}

// nextLocked gives the place of somebody inside to who has waited longest.
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

// awaitLocked has overdue called when the first one inside has had its place for too long.
func (g *floodgate) awaitLocked() {
	left := gateTime - time.Since(g.inside[0].since)
	if g.late == nil {
		g.late = time.AfterFunc(left, g.overdue)
		return
	}
	g.late.Reset(left)
}

// overdue takes the places that are held for too long, while somebody waits.
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
