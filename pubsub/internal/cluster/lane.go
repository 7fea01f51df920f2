package cluster

import (
	"hash/maphash"
	"sync"
)

// maxLaneBytes bounds what waits in a lane.
const maxLaneBytes = 4 << 20

// incoming is a message that a lane holds.
type incoming struct {
	channel string
	data    []byte
}

// lane takes messages of some channels to their subscribers, one after the other.
type lane struct {
	mu     sync.Mutex
	change sync.Cond
	queue  []incoming
	bytes  int
	closed bool
}

func newLane() *lane {
	l := &lane{}
	l.change.L = &l.mu
	return l
}

var laneSeed = maphash.MakeSeed()

func laneOf(channel string, lanes int) int {
	return int(maphash.String(laneSeed, channel) % uint64(lanes))
}

// push waits while the lane is full.
func (l *lane) push(in incoming) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.bytes > maxLaneBytes && !l.closed {
		l.change.Wait()
	}
	if l.closed {
		return
	}
	l.queue = append(l.queue, in)
	l.bytes += len(in.data) + overheadBytes
	if len(l.queue) == 1 {
		l.change.Broadcast()
	}
}

// run hands out what is pushed until the lane is closed.
func (l *lane) run(take func(incoming)) {
	var batch []incoming
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.closed {
			l.change.Wait()
		}
		if l.closed {
			l.mu.Unlock()
			return
		}
		batch, l.queue = l.queue, batch[:0]
		l.mu.Unlock()
		bytes := 0
		for _, in := range batch {
			take(in)
			bytes += len(in.data) + overheadBytes
		}
		clear(batch)
		l.mu.Lock()
		l.bytes -= bytes
		l.change.Broadcast()
		l.mu.Unlock()
	}
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.change.Broadcast()
}
