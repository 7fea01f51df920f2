package websocket

import (
	"runtime"
	"sync/atomic"
	"time"
)

// floodgate bounds how many connections are read from at one time, of those whose clients send
// without a pause. Otherwise each of them would have its share of the processors, and so would
// the channels that they keep busy: a client that seldom sends would wait for all of them.
type floodgate struct {
	places chan struct{}
	left   atomic.Uint64 // how often one was given back
}

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
	return &floodgate{places: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// enter waits for a place, first come, first served. Each call needs one of leave.
func (g *floodgate) enter() {
	select {
	case g.places <- struct{}{}:
		return
	default:
	}
	late := time.NewTimer(gateTime)
	defer late.Stop()
	for {
		left := g.left.Load()
		select {
		case g.places <- struct{}{}:
			// What the ones before have made is done before there is more.
			runtime.Gosched()
			return
		case <-late.C:
			if g.left.Load() == left {
				g.free()
			}
			late.Reset(gateTime)
		}
	}
}

// full reports whether the next one must wait.
func (g *floodgate) full() bool { return len(g.places) == cap(g.places) }

// leave gives a place back.
func (g *floodgate) leave() {
	g.left.Add(1)
	g.free()
}

// free makes room for one. There may be room already: somebody has taken the place of who
// calls leave.
func (g *floodgate) free() {
	select {
	case <-g.places:
	default:
	}
}
