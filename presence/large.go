package presence

import (
	"strconv"
	"sync"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/tracker"
)

// bigTopics is the topics that are too large for lists.
type bigTopics struct {
	c *core

	mu     sync.Mutex
	topics map[string]*bigTopic
	timer  *time.Timer // runs while one of them has changed
	runs   sync.WaitGroup
	closed bool
}

type bigTopic struct {
	changed bool
	keys    int
}

func (b *bigTopics) init(c *core) {
	b.c = c
	b.topics = make(map[string]*bigTopic)
}

// take reports whether the diffs of a topic are not to be sent, after one that was
// just applied. It is called with telling held.
func (b *bigTopics) take(topic string) bool {
	large := b.c.large
	if large == nil {
		return false
	}
	n := b.c.count(topic)
	b.mu.Lock()
	t := b.topics[topic]
	switch {
	case t == nil && n <= large.Entries:
		b.mu.Unlock()
		return false
	case t == nil:
		b.topics[topic] = &bigTopic{keys: b.c.keys.of(topic)}
		b.mu.Unlock()
		// Clients have a list that is not kept any more; they get one to begin with.
		sample := b.sample(topic)
		b.c.send(topic, eventState, b.c.encode(topic, sample))
		b.c.send(topic, eventCount, b.count(topic, sample))
		return true
	case n < large.Entries*4/5:
		delete(b.topics, topic)
		b.mu.Unlock()
		b.c.send(topic, eventState, b.c.state(topic))
		return true
	}
	t.changed, t.keys = true, b.c.keys.of(topic)
	if b.timer == nil && !b.closed {
		b.runs.Add(1)
		b.timer = time.AfterFunc(large.Every, b.tell)
	}
	b.mu.Unlock()
	return true
}

// tell sends the numbers of the topics that have changed.
func (b *bigTopics) tell() {
	defer b.runs.Done()
	b.c.telling.Lock()
	defer b.c.telling.Unlock()
	var changed []string
	b.mu.Lock()
	b.timer = nil
	for topic, t := range b.topics {
		if t.changed {
			t.changed = false
			changed = append(changed, topic)
		}
	}
	b.mu.Unlock()
	for _, topic := range changed {
		b.c.send(topic, eventCount, b.count(topic, b.sample(topic)))
	}
}

// state is what a client of a large topic is pushed; ok is false for other topics.
func (b *bigTopics) state(topic string) (state, count bennu.Raw, ok bool) {
	b.mu.Lock()
	ok = b.topics[topic] != nil
	b.mu.Unlock()
	if !ok {
		return nil, nil, false
	}
	sample := b.sample(topic)
	return b.c.encode(topic, sample), b.count(topic, sample), true
}

// sample is some entries of a topic: any, as a list has no order.
func (b *bigTopics) sample(topic string) []*tracker.Entry {
	list := b.c.tracker.List(topic)
	return list[:min(len(list), b.c.large.Sample)]
}

func (b *bigTopics) count(topic string, sample []*tracker.Entry) bennu.Raw {
	b.mu.Lock()
	keys := 0
	if t := b.topics[topic]; t != nil {
		keys = t.keys
	}
	b.mu.Unlock()
	out := append([]byte(nil), `{"metas":`...)
	out = strconv.AppendInt(out, int64(b.c.count(topic)), 10)
	out = append(out, `,"keys":`...)
	out = strconv.AppendInt(out, int64(keys), 10)
	out = append(out, `,"sample":`...)
	out = append(out, b.c.encode(topic, sample)...)
	return append(out, '}')
}

func (b *bigTopics) close() {
	b.mu.Lock()
	b.closed = true
	if b.timer != nil && b.timer.Stop() {
		b.runs.Done()
	}
	b.mu.Unlock()
	b.runs.Wait()
}
