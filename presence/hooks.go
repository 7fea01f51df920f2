package presence

import (
	"container/list"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/internal/tracker"
)

// hooks calls Changed, First and Last, one at a time, in a goroutine that runs while there are
// changes. Changes of a topic that come while a hook runs are merged.
type hooks struct {
	c           *core
	changed     func(topic string, d tracker.Diff)
	first, last func(topic, key string)

	mu      sync.Mutex               // guards the fields up to closed
	waiting list.List                // of *topicNews, in the order in which topics changed
	topics  map[string]*list.Element // the elements of waiting by topic
	todo    []call                   // remaining calls for the current topic
	running bool                     // the goroutine runs
	closed  bool

	keys keyCounts // only the goroutine uses it
}

// topicNews has the changes of a topic for which the hooks were not called yet.
type topicNews struct {
	topic string
	news  changes
}

// call is one call of a hook.
type call struct {
	name string
	f    func()
}

func (h *hooks) init(c *core) {
	h.c = c
	h.topics = make(map[string]*list.Element)
}

// on reports whether there are hooks.
func (h *hooks) on() bool { return h.changed != nil || h.first != nil || h.last != nil }

// add adds a change. It does not wait for hooks.
func (h *hooks) add(topic string, d tracker.Diff) {
	if d.Empty() || !h.on() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	waits := h.topics[topic]
	if waits == nil {
		waits = h.waiting.PushBack(&topicNews{topic: topic})
		h.topics[topic] = waits
	}
	t := waits.Value.(*topicNews)
	if t.news.add(d); len(t.news) == 0 { // the changes cancel each other
		h.remove(waits)
		return
	}
	if !h.running {
		h.running = true
		h.c.tasks.Go(h.run)
	}
}

// remove removes a topic from those that wait.
func (h *hooks) remove(waits *list.Element) *topicNews {
	t := h.waiting.Remove(waits).(*topicNews)
	delete(h.topics, t.topic)
	return t
}

// run is the goroutine. If a hook calls runtime.Goexit, a new goroutine goes on with the next call.
func (h *hooks) run() {
	returned := false
	defer func() {
		if !returned {
			h.c.tasks.Go(h.run)
		}
	}()
	for next, ok := h.next(); ok; next, ok = h.next() {
		h.call(next)
	}
	returned = true
}

// call calls a hook, and logs its panic.
func (h *hooks) call(hook call) {
	returned := false
	defer func() {
		if !returned {
			h.c.failed(hook.name, recover())
		}
	}()
	hook.f()
	returned = true
}

// next returns the next call. ok is false if there is none, or after stop; the goroutine then ends.
func (h *hooks) next() (next call, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.todo) == 0 {
		if h.closed || h.waiting.Len() == 0 {
			h.running = false
			return call{}, false
		}
		t := h.remove(h.waiting.Front())
		h.todo = h.calls(t.topic, t.news.diff())
	}
	if h.closed {
		h.running = false
		return call{}, false
	}
	next, h.todo = h.todo[0], h.todo[1:]
	return next, true
}

// calls returns the calls for a change.
func (h *hooks) calls(topic string, d tracker.Diff) (calls []call) {
	if d.Empty() {
		return nil
	}
	if h.changed != nil {
		calls = append(calls, call{"Changed", func() { h.changed(topic, d) }})
	}
	if h.first == nil && h.last == nil {
		return calls
	}
	// Keys are counted here and not when a change is made, so that First and Last agree with the
	// merged changes that Changed gets.
	firsts, lasts := h.keys.apply(topic, d)
	for _, key := range firsts {
		if h.first != nil {
			calls = append(calls, call{"First", func() { h.first(topic, strings.Clone(key)) }})
		}
	}
	for _, key := range lasts {
		if h.last != nil {
			calls = append(calls, call{"Last", func() { h.last(topic, strings.Clone(key)) }})
		}
	}
	return calls
}

// stop prevents further calls.
func (h *hooks) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}
