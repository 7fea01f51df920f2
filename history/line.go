package history

import (
	"hash/maphash"
	"sync"
)

// lineShards is the number of locks over which topics are spread, a power of two.
const lineShards = 64

// lines has a line for each topic to which somebody publishes at this moment.
type lines struct {
	seed   maphash.Seed
	shards [lineShards]lineShard
}

// lineShard has the lines of some of the topics. Its lock is held for moments only, never while the store or
// a subscriber is called.
type lineShard struct {
	mu   sync.Mutex
	byID map[string]*line
	free []*line // for new topics
}

// mostFree bounds the lines in lineShard.free. A line is used again for another topic, so that a publish
// to an idle topic allocates none.
const mostFree = 16

// line is the order of the publishes to one topic: one after the other, each has its append and then
// tells the subscribers. The next append may run while the one before is told.
type line struct {
	topic     string
	shard     *lineShard
	appending turn // held while the store is asked
	telling   turn // held while the subscribers are called

	// These are of the publish that appends.
	entry   Entry
	options AppendOptions
	after   Head
}

// turn is held by one publish at a time. Others wait for it in their order. The lock of the shard
// guards it.
type turn struct {
	held        bool
	first, last *waiter
}

// waiter is a publish that waits for a turn.
type waiter struct {
	ready      chan struct{} // closed when the publish has the turn
	waits      bool
	prev, next *waiter
}

// init makes lines ready.
func (ls *lines) init() {
	ls.seed = maphash.MakeSeed()
	for i := range ls.shards {
		ls.shards[i].byID = make(map[string]*line)
	}
}

// enter takes the turn to append to a topic. If another publish has it, the caller must wait for w, and
// then has the turn, or call leave.
func (ls *lines) enter(topic string) (l *line, w *waiter) {
	sh := &ls.shards[maphash.String(ls.seed, topic)&(lineShards-1)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l = sh.byID[topic]
	if l == nil {
		if n := len(sh.free); n > 0 {
			l, sh.free = sh.free[n-1], sh.free[:n-1]
		} else {
			l = &line{shard: sh}
		}
		l.topic = topic
		sh.byID[topic] = l
	}
	return l, l.appending.take()
}

// leave gives up waiting for the turn to append. The turn may have come at the same moment; then it goes
// on to the next publish.
func (l *line) leave(w *waiter) {
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	if w.waits {
		l.appending.remove(w)
		return
	}
	l.appending.pass() // the turn came meanwhile
	l.freeIfIdle()
}

// leaveTelling gives up waiting for the turn to tell. It reports false if the turn came meanwhile.
func (l *line) leaveTelling(w *waiter) bool {
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	waited := w.waits
	if waited {
		l.telling.remove(w)
	}
	return waited
}

// appended passes the turn to append on, and takes the turn to tell. If another publish has that, the
// caller must wait for w.
func (l *line) appended() (w *waiter) {
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	l.clear()
	l.appending.pass()
	return l.telling.take()
}

// failed passes the turn to append on, for a publish that has nothing to tell.
func (l *line) failed() {
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	l.clear()
	l.appending.pass()
	l.freeIfIdle()
}

// told passes the turn to tell on.
func (l *line) told() {
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	l.telling.pass()
	l.freeIfIdle()
}

// clear lets go of a message, so that a line that is idle does not keep it in memory. A late store must
// not see the next one, so the caller has the turn to append, and no call runs.
func (l *line) clear() { l.entry, l.options, l.after = Entry{}, AppendOptions{}, Head{} }

// freeIfIdle removes a line without publishes. The lock must be held.
func (l *line) freeIfIdle() {
	if l.appending.held || l.telling.held {
		return
	}
	sh := l.shard
	delete(sh.byID, l.topic)
	l.topic = ""
	if len(sh.free) < mostFree {
		sh.free = append(sh.free, l)
	}
}

// take takes the turn and returns nil, or begins to wait for it.
func (t *turn) take() *waiter {
	if !t.held {
		t.held = true
		return nil
	}
	w := &waiter{ready: make(chan struct{}), waits: true, prev: t.last}
	if t.last != nil {
		t.last.next = w
	} else {
		t.first = w
	}
	t.last = w
	return w
}

// pass gives the turn to the publish that has waited longest. The lock of the shard is held, as for all
// of turn.
func (t *turn) pass() {
	w := t.first
	if w == nil {
		t.held = false
		return
	}
	t.remove(w)
	close(w.ready)
}

// remove takes a waiter out of the order.
func (t *turn) remove(w *waiter) {
	w.waits = false
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		t.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		t.last = w.prev
	}
	w.prev, w.next = nil, nil
}
