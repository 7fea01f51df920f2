package presence

import (
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// tellRoom tells the clients of this node what has changed, as far as the budget of the room
// goes, then lets the hooks be told. What is left can be told after rest.
func (c *core) tellRoom(r *room) (rest time.Duration) {
	c.mu.Lock()
	list, news := r.untold.list(), r.news.diff()
	r.news = nil
	c.mu.Unlock()
	defer c.hooks.add(r.topic, news) // after a panic, too
	if c.large != nil {
		c.keys.apply(r.topic, news)
	}
	switch {
	case len(list) == 0:
	case c.tellBig(r, list):
	case c.ps.Subscribers(r.topic) == 0:
		c.told(r, list) // each node has the entries of all topics, and clients in some of them
	default:
		rest = c.sendChanges(r, list)
	}
	return rest
}

// sendChanges sends presence_diff, in as many messages as it takes.
func (c *core) sendChanges(r *room, list []change) (rest time.Duration) {
	for len(list) > 0 {
		if rest = r.budget.wait(c.now()); rest > 0 {
			return rest
		}
		n := portion(list)
		fields := c.fetch.fields(r.topic, keysOf(list[:n]))
		for n > 0 {
			payload, m := c.message(list[:n], fields, maxMessageBytes, false)
			c.told(r, list[:m]) // first, since a subscriber may panic
			c.send(r.topic, eventDiff, payload)
			r.budget.spend(len(payload))
			list, n = list[m:], n-m
		}
	}
	return 0
}

// told takes changes out of what is to be told.
func (c *core) told(r *room, list []change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range list {
		n := int8(-1)
		if ch.leaves {
			n = 1
			var last *listing
			for _, rd := range r.readers {
				if rd.list != last { // they share few
					last = rd.list
					last.leave(ch.e)
				}
			}
		}
		r.untold.sum(ch.e, n)
	}
}

// portion is how many changes are about one message, those of a key together.
func portion(list []change) int {
	const around = 80
	size := 0
	for i, ch := range list {
		size += len(ch.e.Meta()) + len(ch.e.Key()) + around
		if size > maxMessageBytes && i > 0 && ch.e.Key() != list[i-1].e.Key() {
			return i
		}
	}
	return len(list)
}

// keysOf lists the keys of changes.
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
