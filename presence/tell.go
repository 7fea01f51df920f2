package presence

import (
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// tellRoom sends the clients of this node the changes of a room, as far as its budget allows,
// and adds them to hooks. If changes are left, rest is the time to wait for the budget.
func (c *core) tellRoom(r *room) (rest time.Duration) {
	c.mu.Lock()
	// Changes stay in untold until they are sent, and news is taken at once.
	list, news := r.untold.list(), r.news.diff()
	r.news = nil
	c.mu.Unlock()
	defer c.hooks.add(r.topic, news) // deferred, so that it is done after a panic too
	if c.large != nil {
		c.keys.apply(r.topic, news)
	}
	switch {
	case len(list) == 0:
	case c.tellBig(r, list):
	case c.ps.Subscribers(r.topic) == 0:
		c.markTold(r, list) // every node has the entries of all topics, and clients in some
	default:
		rest = c.sendChanges(r, list)
	}
	return rest
}

// sendChanges sends presence_diff, in as many messages as needed.
func (c *core) sendChanges(r *room, list []change) (rest time.Duration) {
	most := c.messageBytes()
	for len(list) > 0 {
		if rest = r.budget.wait(c.now()); rest > 0 {
			return rest
		}
		// Fetch is called for about one message, whose size is known only with its fields; if
		// they are large, these changes take several.
		n := portion(list, most)
		fields := c.fetch.fields(r.topic, keysOf(list[:n]))
		for n > 0 {
			payload, m := c.message(list[:n], fields, most, false)
			c.markTold(r, list[:m]) // before send, since a subscriber may panic
			c.send(r.topic, eventDiff, payload)
			r.budget.spend(len(payload))
			list, n = list[m:], n-m
		}
	}
	return 0
}

// markTold removes changes from untold, and entries that left from the lists of readers.
func (c *core) markTold(r *room, list []change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range list {
		n := int8(-1)
		if ch.leaves {
			n = 1
			var last *listing
			for _, rd := range r.readers {
				if rd.list != last { // readers share a few lists
					last = rd.list
					last.leave(ch.e)
				}
			}
		}
		r.untold.sum(ch.e, n)
	}
}

// portion estimates how many changes fit into a message of most bytes, without splitting a key.
func portion(list []change, most int) int {
	const around = 80
	size := 0
	for i, ch := range list {
		size += len(ch.e.Meta()) + len(ch.e.Key()) + around
		if size > most && i > 0 && ch.e.Key() != list[i-1].e.Key() {
			return i
		}
	}
	return len(list)
}

// keysOf returns the keys of changes, which are sorted by key.
func keysOf(list []change) (keys []string) {
	for _, ch := range list {
		if n := len(keys); n == 0 || keys[n-1] != ch.e.Key() {
			keys = append(keys, ch.e.Key())
		}
	}
	return keys
}

// send broadcasts to the clients of this node: each node tells its own.
func (c *core) send(topic, event string, payload []byte) {
	c.ps.LocalBroadcast(&pubsub.Message{Topic: topic, Event: event, Payload: payload})
}
