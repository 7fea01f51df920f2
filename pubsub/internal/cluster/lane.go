package cluster

import (
	"hash/maphash"
	"sync"
)

// maxLaneBytes bounds the waiting messages of a lane.
const maxLaneBytes = 4 << 20

// incoming is a received message in a lane. Without a channel it is a notice that a boot has proved
// that it is alive, or that held messages may have expired.
type incoming struct {
	channel string
	data    []byte
	// stamp is the era of peers at which a message was received. Without a channel it is the
	// boot, or 0 if time has passed.
	stamp uint64
}

// bytes estimates the size of a message in memory.
func (in *incoming) bytes() int { return len(in.channel) + len(in.data) + overheadBytes }

// lane delivers the messages of some channels, one after the other.
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

// laneOf returns the index of the lane of a channel.
func laneOf(channel string, lanes int) int {
	return int(maphash.String(laneSeed, channel) % uint64(lanes))
}

// push adds a message. It waits while the lane is full.
func (l *lane) push(in incoming) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.bytes > maxLaneBytes && !l.closed {
		l.change.Wait()
	}
	l.addLocked(in)
}

// nudge adds a notice. It does not wait.
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

// run calls take with the messages until the lane is closed.
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
