package cluster

import (
	"hash/maphash"
	"sync"
)

// maxLaneBytes bounds what waits in a lane.
const maxLaneBytes = 4 << 20

// incoming is a message that a lane holds. One without a channel has no data, and says that
// a node has proved that it is alive.
type incoming struct {
	channel string
	data    []byte
	// stamp is the era of peers in which a message came; without a channel the boot of the
	// node, or 0 when it only says that time has passed.
	stamp uint64
}

// bytes is what a message takes in memory.
func (in *incoming) bytes() int { return len(in.channel) + len(in.data) + overheadBytes }

// lane takes messages of some channels to their subscribers, one after the other.
type lane struct {
	mu     sync.Mutex
	change sync.Cond
	queue  []incoming
	bytes  int
	closed bool

	held held // used by the lane's goroutine alone
}

func newLane() *lane {
	l := &lane{held: held{boots: make(map[uint64]*heldBoot)}}
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
	l.addLocked(in)
}

// nudge is push for what has no data. It does not wait.
func (l *lane) nudge(boot uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addLocked(incoming{stamp: boot})
}

func (l *lane) addLocked(in incoming) {
	if l.closed {
		return
	}
	l.queue = append(l.queue, in)
	l.bytes += in.bytes()
	if len(l.queue) == 1 {
		l.change.Broadcast()
	}
}

// run hands out what is pushed until the lane is closed.
func (l *lane) run(take func(*lane, incoming)) {
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
			take(l, in)
			bytes += in.bytes()
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
