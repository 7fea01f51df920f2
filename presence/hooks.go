package presence

import (
	"container/list"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/tracker"
)

// hooks calls the application's hooks, one at a time, in a goroutine that exists while there
// is something to tell them. What comes up meanwhile is told as one, for each topic.
type hooks struct {
	c           *core
	changed     func(topic string, d tracker.Diff)
	first, last func(topic, key string)

	mu      sync.Mutex
	waiting list.List                // what is to be told: a *topicNews for each topic
	topics  map[string]*list.Element // the same by topic
	todo    []call                   // of the topic that is told
	running bool
	closed  bool

	keys keyCounts // used by the goroutine alone
}

// topicNews is what the hooks have not been told of a topic.
type topicNews struct {
	topic string
	news  changes
}

// call is a call of one hook.
type call struct {
	name string
	f    func()
}

func (h *hooks) init(c *core) {
	h.c = c
	h.topics = make(map[string]*list.Element)
}

// on reports whether there is a hook.
func (h *hooks) on() bool { return h.changed != nil || h.first != nil || h.last != nil }

// add keeps a change until the hooks are told. It does not wait for them.
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
	if t.news.add(d); len(t.news) == 0 { // who came has gone: nothing is left to tell
		h.remove(waits)
		return
	}
	if !h.running {
		h.running = true
		h.c.tasks.Go(h.run)
	}
}

// remove takes a topic out of those that wait.
func (h *hooks) remove(waits *list.Element) *topicNews {
	t := h.waiting.Remove(waits).(*topicNews)
	delete(h.topics, t.topic)
	return t
}

func (h *hooks) run() {
	returned := false
	defer func() {
		if !returned { // a hook has called runtime.Goexit
			h.c.tasks.Go(h.run)
		}
	}()
	for next, ok := h.next(); ok; next, ok = h.next() {
		h.call(next)
	}
	returned = true
}

// call calls a hook. Its panic is its own.
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

// next is the next hook to call.
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

// calls lists the calls that tell of a change.
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

// stop has no other hook called.
func (h *hooks) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}
