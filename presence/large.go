package presence

import (
	"strconv"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/tracker"
)

// bigTopics are the topics above Large.Entries.
type bigTopics struct {
	c *core

	mu     sync.Mutex
	topics map[string]*bigTopic
	timer  *time.Timer // runs while one of topics has changed
	runs   sync.WaitGroup
	closed bool
}

// bigTopic is one of them: changed since its last presence_count.
type bigTopic struct{ changed bool }

func (b *bigTopics) init(c *core) {
	b.c = c
	b.topics = make(map[string]*bigTopic)
}

// size is the size of a topic after a change.
type size int

const (
	small size = iota
	grown      // big, and was small before
	big
	shrunk // small, and was big before
)

// note notes a change of a topic and returns its size.
func (b *bigTopics) note(topic string) size {
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
	// One timer for all big topics: each sends at most one count in a period.
	t.changed = true
	if b.timer == nil && !b.closed {
		b.runs.Add(1)
		b.timer = time.AfterFunc(large.Every, b.tell)
	}
	return big
}

// is reports whether a topic is big.
func (b *bigTopics) is(topic string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.topics[topic] != nil
}

// tell makes the rooms of the changed topics send presence_count.
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

// close stops the timer.
func (b *bigTopics) close() {
	b.mu.Lock()
	b.closed = true
	if b.timer != nil && b.timer.Stop() {
		b.runs.Done()
	}
	b.mu.Unlock()
	b.runs.Wait()
}

// tellBig handles changes of a topic that is big, or was big before them. It returns false for
// other topics.
func (c *core) tellBig(r *room, list []change) bool {
	switch c.big.note(r.topic) {
	case grown:
		// The list that clients have is replaced by the sample.
		c.markTold(r, list)
		c.mu.Lock()
		for _, rd := range r.readers {
			rd.list = nil // they start over
		}
		c.mu.Unlock()
		sample := c.sample(r.topic)
		c.send(r.topic, eventState, sample)
		c.send(r.topic, eventCount, c.countOf(r.topic, sample))
	case big:
		c.markTold(r, list)
	case shrunk:
		c.sendWhole(r)
	default:
		return false
	}
	return true
}

// sendWhole sends all clients presence_state with the beginning of the list, and makes the rest
// of the list changes that they have not been told of.
func (c *core) sendWhole(r *room) {
	var list []change
	c.tracker.Snapshot(r.topic, func(entries []*tracker.Entry) {
		c.mu.Lock()
		defer c.mu.Unlock()
		r.untold = nil
		r.untold.add(tracker.Diff{Joins: together(entries, c.held.of(r.topic))})
		list = r.untold.list()
	})
	most := c.messageBytes()
	n := portion(list, most)
	payload, n := c.message(list[:n], c.fetch.fields(r.topic, keysOf(list[:n])), most, true)
	c.markTold(r, list[:n])
	r.budget.spend(len(payload))
	c.send(r.topic, eventState, payload)
}

// sample returns the payload of presence_state with some entries of a topic, in one message.
func (c *core) sample(topic string) []byte {
	entries := c.tracker.List(topic)
	var some changes
	some.add(tracker.Diff{Joins: entries[:min(len(entries), c.large.Sample)]})
	list := some.list()
	most := c.messageBytes()
	list = list[:portion(list, most)]
	// What does not fit into the message is left out: it is a sample.
	payload, _ := c.message(list, c.fetch.fields(topic, keysOf(list)), most, true)
	return payload
}

// countOf returns the payload of presence_count.
func (c *core) countOf(topic string, sample []byte) []byte {
	out := append([]byte(nil), `{"metas":`...)
	out = strconv.AppendInt(out, int64(c.count(topic)), 10)
	out = append(out, `,"keys":`...)
	out = strconv.AppendInt(out, int64(c.keys.of(topic)), 10)
	out = append(out, `,"sample":`...)
	out = append(out, sample...)
	return append(out, '}')
}

// beginBig sends new readers of a big topic the sample and the count.
func (c *core) beginBig(r *room, arrivals []*reader) {
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
			c.waitForRoom(r, rd, again)
			continue
		}
		c.finish(r, rd, err)
	}
}
