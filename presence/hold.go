package presence

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/tracker"
)

// holder holds leaves back for Options.LeaveDelay.
type holder struct {
	c *core

	mu     sync.Mutex // guards the fields below
	topics map[string]*heldTopic
	queue  []*heldLeave // in the order of until; it also has forgotten ones, whose e is nil
	timer  *time.Timer  // runs while queue is not empty
	runs   sync.WaitGroup
	closed bool
}

// heldTopic has the held leaves of a topic by key.
type heldTopic struct {
	keys map[string][]*heldLeave
	n    int // of all keys
}

// of returns the held leaves of a key.
func (t *heldTopic) of(key string) []*heldLeave {
	if t == nil {
		return nil
	}
	return t.keys[key]
}

// heldLeave is a leave that is passed on at the time until.
type heldLeave struct {
	topic string
	e     *tracker.Entry // nil if it was passed on earlier, together with a join
	until time.Time
}

func (h *holder) init(c *core) {
	h.c = c
	h.topics = make(map[string]*heldTopic)
}

// filter holds back the leaves of keys that do not join in the same diff. It returns the diff without
// them, and with the held leaves of keys that join. If the same entry joins again, for example because
// its node was down for a moment, its leave and its join are dropped: clients never saw it leave.
func (h *holder) filter(topic string, d tracker.Diff, now time.Time) tracker.Diff {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return d
	}
	// First the keys that join. Their held leaves are due, unless the same entry is back.
	joins := make(map[string]bool, len(d.Joins))
	for _, e := range d.Joins {
		joins[e.Key()] = true
	}
	// Compared by ref: the entries of a node that was forgotten and is back are new *Entry values.
	kept := make(map[string]*tracker.Entry)
	for key := range joins {
		for _, held := range h.topics[topic].of(key) {
			kept[held.e.Ref()] = held.e
		}
		h.forget(topic, key)
	}
	out := tracker.Diff{Joins: d.Joins}
	if len(kept) > 0 {
		out.Joins = nil
		for _, e := range d.Joins {
			if ref := e.Ref(); kept[ref] != nil {
				delete(kept, ref)
			} else {
				out.Joins = append(out.Joins, e)
			}
		}
		out.Leaves = slices.Collect(maps.Values(kept))
	}
	for _, e := range d.Leaves {
		if joins[e.Key()] {
			out.Leaves = append(out.Leaves, e)
		} else {
			h.keep(&heldLeave{topic, e, now.Add(h.c.leaveDelay)})
		}
	}
	return out
}

// keep holds a leave back. The lock is held, as in forget and arm.
func (h *holder) keep(held *heldLeave) {
	t := h.topics[held.topic]
	if t == nil {
		t = &heldTopic{keys: make(map[string][]*heldLeave)}
		h.topics[held.topic] = t
	}
	t.keys[held.e.Key()] = append(t.keys[held.e.Key()], held)
	t.n++
	h.queue = append(h.queue, held)
	if h.timer == nil {
		h.arm(h.c.leaveDelay)
	}
}

// forget removes the held leaves of a key.
func (h *holder) forget(topic, key string) {
	t := h.topics[topic]
	if t == nil {
		return
	}
	for _, held := range t.keys[key] {
		held.e = nil // queue must not keep the entry in memory
		t.n--
	}
	delete(t.keys, key)
	if len(t.keys) == 0 {
		delete(h.topics, topic)
	}
}

// arm starts the timer.
func (h *holder) arm(d time.Duration) {
	h.runs.Add(1)
	h.timer = time.AfterFunc(d, h.release)
}

// release passes on the leaves that are due, and starts the timer for the next. The timer calls it.
func (h *holder) release() {
	defer h.runs.Done()
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	due := make(map[string]tracker.Diff)
	h.mu.Lock()
	now := time.Now()
	n := 0
	for ; n < len(h.queue) && !h.queue[n].until.After(now); n++ {
		held := h.queue[n]
		e := held.e
		if e == nil {
			continue
		}
		t := h.topics[held.topic]
		if list := t.of(e.Key()); len(list) == 1 {
			h.forget(held.topic, e.Key())
		} else if i := slices.Index(list, held); i >= 0 {
			t.keys[e.Key()] = slices.Delete(list, i, i+1)
			t.n--
		}
		d := due[held.topic]
		d.Leaves = append(d.Leaves, e)
		due[held.topic] = d
	}
	h.queue = slices.Delete(h.queue, 0, n)
	h.timer = nil // it has fired; it runs again for the next leave
	if len(h.queue) > 0 && !h.closed {
		h.arm(h.queue[0].until.Sub(now))
	}
	h.mu.Unlock()
	// c.mu has been held since before the leaves were removed. Otherwise a list that is made in
	// between would have them neither as held nor as changes.
	for topic, d := range due {
		h.c.noteLocked(topic, d, false)
	}
}

// of returns the entries of a topic whose leave is held back.
func (h *holder) of(topic string) (list []*tracker.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[topic]; t != nil {
		for _, held := range t.keys {
			list = append(list, entriesOf(held)...)
		}
	}
	return list
}

// count returns the length of of.
func (h *holder) count(topic string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[topic]; t != nil {
		return t.n
	}
	return 0
}

// others returns the number of held leaves of the other keys of a topic. Those of the key itself are
// passed on when it joins.
func (h *holder) others(topic, key string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[topic]; t != nil {
		return t.n - len(t.keys[key])
	}
	return 0
}

// ofKey returns the entries of a key whose leave is held.
func (h *holder) ofKey(topic, key string) []*tracker.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return entriesOf(h.topics[topic].of(key))
}

// entriesOf returns the entries of leaves that were not forgotten.
func entriesOf(held []*heldLeave) []*tracker.Entry {
	list := make([]*tracker.Entry, len(held))
	for i, h := range held {
		list[i] = h.e
	}
	return list
}

// close stops the timer. Later leaves are not held back.
func (h *holder) close() {
	h.mu.Lock()
	h.closed = true
	if h.timer != nil && h.timer.Stop() {
		h.runs.Done()
	}
	h.mu.Unlock()
	h.runs.Wait()
}
