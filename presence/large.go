package presence

import (
	"strconv"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/pace"
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

type bigTopic struct{ changed bool }

func (b *bigTopics) init(c *core) {
	b.c = c
	b.topics = make(map[string]*bigTopic)
}

// size is what becomes of a topic after a change.
type size int

const (
	small size = iota
	grown      // it was small
	big
	shrunk // it was big
)

// take notes a change of a topic.
func (b *bigTopics) take(topic string) size {
	large := b.c.large
	if large == nil {
		return small
	}
	n := b.c.count(topic)
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[topic]
	switch {
	case t == nil && n <= large.Entries:
		return small
	case t == nil:
		b.topics[topic] = &bigTopic{}
		return grown
	case n < large.Entries*4/5:
		delete(b.topics, topic)
		return shrunk
	}
	t.changed = true
	if b.timer == nil && !b.closed {
		b.runs.Add(1)
		b.timer = time.AfterFunc(large.Every, b.tell)
	}
	return big
}

func (b *bigTopics) is(topic string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.topics[topic] != nil
}

// tell has the numbers of the topics sent that have changed.
func (b *bigTopics) tell() {
	defer b.runs.Done()
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
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	for _, topic := range changed {
		r := b.c.roomLocked(topic)
		r.countDue = true
		b.c.startLocked(r)
	}
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

// tellBig tells the clients of a room what has changed if its topic is large, or has been. It
// reports whether it has.
func (c *core) tellBig(r *room, list []change) bool {
	switch c.big.take(r.topic) {
	case grown:
		// Clients have a list that is not kept any more; they get one to begin with.
		c.told(r, list)
		c.mu.Lock()
		for _, rd := range r.readers {
			rd.list = nil // they begin anew
		}
		c.mu.Unlock()
		sample := c.sample(r.topic)
		c.send(r.topic, eventState, sample)
		c.send(r.topic, eventCount, c.countOf(r.topic, sample))
	case big:
		c.told(r, list)
	case shrunk:
		c.sendList(r)
	default:
		return false
	}
	return true
}

// sendList sends all clients the whole list: presence_state with its beginning, and the rest
// as joins that they have not been told.
func (c *core) sendList(r *room) {
	var list []change
	c.tracker.Snapshot(r.topic, func(entries []*tracker.Entry) {
		c.mu.Lock()
		defer c.mu.Unlock()
		r.untold = nil
		r.untold.add(tracker.Diff{Joins: together(entries, c.held.of(r.topic))})
		list = r.untold.list()
	})
	n := portion(list)
	payload, n := c.message(list[:n], c.fetch.fields(r.topic, keysOf(list[:n])), maxMessageBytes, true)
	c.told(r, list[:n])
	r.budget.spend(len(payload))
	c.send(r.topic, eventState, payload)
}

// sample is a list of some entries of a topic, any that fit one message.
func (c *core) sample(topic string) []byte {
	entries := c.tracker.List(topic)
	var some changes
	some.add(tracker.Diff{Joins: entries[:min(len(entries), c.large.Sample)]})
	list := some.list()
	list = list[:portion(list)]
	payload, _ := c.message(list, c.fetch.fields(topic, keysOf(list)), maxMessageBytes, true)
	return payload
}

// countOf is the payload of presence_count.
func (c *core) countOf(topic string, sample []byte) []byte {
	out := append([]byte(nil), `{"metas":`...)
	out = strconv.AppendInt(out, int64(c.count(topic)), 10)
	out = append(out, `,"keys":`...)
	out = strconv.AppendInt(out, int64(c.keys.of(topic)), 10)
	out = append(out, `,"sample":`...)
	out = append(out, sample...)
	return append(out, '}')
}

// welcomeBig sends readers what clients of a large topic get.
func (c *core) welcomeBig(r *room, arrivals []*reader) {
	sample := c.sample(r.topic)
	count := c.countOf(r.topic, sample)
	c.mu.Lock()
	for _, rd := range arrivals {
		rd.list, rd.next = nil, 0
		r.readers[rd.ch] = rd
	}
	c.mu.Unlock()
	for _, rd := range arrivals {
		again, err := pace.Offer(rd.ch, eventState, sample)
		if again == nil && err == nil {
			again, err = pace.Offer(rd.ch, eventCount, count)
		}
		if again != nil {
			c.wait(r, rd, again)
			continue
		}
		c.leave(r, rd, err)
	}
}
