package presence

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/tracker"
)

// room is a topic with clients on this node. What they are sent, diffs and lists, is sent by
// one goroutine, which exists while there is something to send. So it can ask Fetch in
// between, without a lock and without other topics that wait. The lock of the core guards
// all fields but those of the goroutine.
type room struct {
	topic   string
	running bool          // the goroutine exists
	wake    chan struct{} // tells it of more while it rests

	untold    changes // what the clients have not been told
	news      changes // what the hooks have not been told, and the clients have, or will be
	countDue  bool    // presence_count is to be sent
	arrivals  []*reader
	continues []*reader // whose connections have room again
	serving   []*reader // of these, whom the goroutine is at
	readers   map[*bennu.Channel]*reader
	members   map[*bennu.Channel]struct{} // who has been pushed a list, until their ends
	budget    budget                      // changed by the goroutine, while it runs
}

// Events, as Phoenix has them; eventCount is ours.
const (
	eventState = "presence_state"
	eventDiff  = "presence_diff"
	eventCount = "presence_count"
)

// roomLocked is the room of a topic, made if need be.
func (c *core) roomLocked(topic string) *room {
	r := c.rooms[topic]
	if r == nil {
		c.sweepRoomsLocked()
		topic = strings.Clone(topic) // it may be a piece of a client's message
		r = &room{topic: topic, wake: make(chan struct{}, 1), readers: make(map[*bennu.Channel]*reader), members: make(map[*bennu.Channel]struct{}), budget: budget{left: budgetBurst}}
		c.rooms[topic] = r
	}
	return r
}

// sweepRoomsLocked forgets rooms that would not be different if they were made anew.
func (c *core) sweepRoomsLocked() {
	if len(c.rooms) <= 2*c.sweptRooms+64 {
		return
	}
	now := c.now()
	for topic, r := range c.rooms {
		if !r.running && len(r.readers)+len(r.members) == 0 && r.budget.full(now) {
			delete(c.rooms, topic)
		}
	}
	c.sweptRooms = len(c.rooms)
}

// startLocked has the goroutine of a room look for what there is to do.
func (c *core) startLocked(r *room) {
	switch {
	case c.ended:
	case r.running:
		select {
		case r.wake <- struct{}{}:
		default:
		}
	default:
		r.running = true
		c.tasks.Go(func() { c.runRoom(r) })
	}
}

// runRoom is the goroutine of a room. Subscribers of the program's run in it, which may end
// it: then another goes on.
func (c *core) runRoom(r *room) {
	returned := false
	defer func() {
		if returned {
			return
		}
		c.failed("a subscriber", recover())
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rd := range r.serving {
			delete(r.readers, rd.ch)
			rd.returnsLocked(errReader)
		}
		r.serving = nil
		c.tasks.Go(func() { c.runRoom(r) })
	}()
	for c.roomStep(r) {
	}
	returned = true
}

// roomStep does what there is to do, and reports whether there may be more.
func (c *core) roomStep(r *room) bool {
	c.mu.Lock()
	if c.ended || len(r.untold)+len(r.arrivals)+len(r.continues) == 0 && !r.countDue {
		r.running = false
		c.mu.Unlock()
		return false
	}
	arrived, countDue := len(r.arrivals) > 0, r.countDue
	r.countDue = false
	c.mu.Unlock()

	if arrived { // they see all that was tracked before
		c.tracker.Snapshot(r.topic, func([]*tracker.Entry) {})
	}
	rest := c.tellRoom(r)
	if countDue && c.big.is(r.topic) {
		c.send(r.topic, eventCount, c.countOf(r.topic, c.sample(r.topic)))
	}
	c.serve(r)
	if rest > 0 {
		c.rest(r, rest)
	}
	return true
}

// serve sends readers lists, or more of them.
func (c *core) serve(r *room) {
	c.mu.Lock()
	begin := slices.Clip(r.arrivals)
	type further struct {
		rd   *reader
		list *listing
	}
	var more []further
	for _, rd := range r.continues {
		if rd.list == nil {
			begin = append(begin, rd)
		} else {
			more = append(more, further{rd, rd.list})
		}
	}
	r.serving = slices.Concat(r.arrivals, r.continues)
	r.arrivals, r.continues = nil, nil
	c.mu.Unlock()
	if len(begin) > 0 {
		c.welcome(r, begin)
	}
	for _, m := range more {
		c.goOn(r, m.rd, m.list)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.serving = nil
}

// rest waits until more may be told, or there is something else to do. More may be told after
// a time, and before that when all members have read what they were told.
func (c *core) rest(r *room, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	c.mu.Lock()
	members := slices.Collect(maps.Keys(r.members))
	c.mu.Unlock()
	for _, ch := range members {
		for low := pace.Low(ch); low != nil; low = pace.Low(ch) {
			if !c.pause(r, t, low) {
				return
			}
		}
	}
	if len(members) > 0 {
		r.budget.left = maxMessageBytes
		return
	}
	c.pause(r, t, nil) // nobody to ask: subscribers of the program's, perhaps
}

// pause waits until low is closed, and reports that, or until the rest is over.
func (c *core) pause(r *room, t *time.Timer, low <-chan struct{}) bool {
	select {
	case <-low:
		return true
	case <-t.C:
	case <-r.wake:
	case <-c.closed:
	}
	return false
}

// join notes a member of a room until its channel ends.
func (c *core) join(r *room, ch *bennu.Channel) {
	c.mu.Lock()
	_, known := r.members[ch]
	r.members[ch] = struct{}{}
	c.mu.Unlock()
	if known {
		return
	}
	ch.AfterEnd(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(r.members, ch)
	})
}

// failed says that a function of the program's panicked, or has ended its goroutine.
func (c *core) failed(name string, v any) {
	if v == nil {
		v = "runtime.Goexit was called"
	}
	c.book.Say(notice.PresenceHook, slog.String("hook", name), slog.Any("error", v), redact.StackAttr())
}
