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
	"github.com/bennu-go/bennu/internal/tracker"
)

// room is a topic with clients on this node. One goroutine, which runs while there is something
// to send, sends diffs and lists to them. It can therefore call Fetch without a lock, and without
// delaying other topics. core.mu guards all fields except budget.
type room struct {
	topic   string
	running bool          // the goroutine runs
	wake    chan struct{} // of capacity 1: has a value if there is more to do

	untold    changes   // not sent to the clients yet
	news      changes   // not added to hooks yet
	countDue  bool      // presence_count is to be sent
	arrivals  []*reader // new readers
	continues []*reader // readers whose queues have room again
	serving   []*reader // readers that the goroutine took from the two above
	readers   map[*bennu.Channel]*reader
	members   map[*bennu.Channel]struct{} // channels that called PushState, until they end
	budget    budget                      // only the goroutine uses it, while it runs
}

// The events that clients get. eventCount is bennu's own; the others are those of Phoenix.Presence.
const (
	eventState = "presence_state"
	eventDiff  = "presence_diff"
	eventCount = "presence_count"
)

// roomLocked returns the room of a topic, and makes it if there is none. c.mu is held, as for all
// functions whose names end in Locked.
func (c *core) roomLocked(topic string) *room {
	r := c.rooms[topic]
	if r == nil {
		c.sweepRoomsLocked()
		topic = strings.Clone(topic) // it may share the memory of a client's message
		r = &room{topic: topic, wake: make(chan struct{}, 1), readers: make(map[*bennu.Channel]*reader), members: make(map[*bennu.Channel]struct{}), budget: budget{left: budgetBurst}}
		c.rooms[topic] = r
	}
	return r
}

// sweepRoomsLocked removes idle rooms when the number of rooms has doubled since the last sweep. Only a
// room that is equal to a new one is removed.
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

// startLocked starts the goroutine of a room, or wakes it.
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

// runRoom is the goroutine of a room. Subscribers of the program run in it; if one panics or calls
// runtime.Goexit, a new goroutine takes over.
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
			rd.returnsLocked(errNotSent)
		}
		r.serving = nil
		c.tasks.Go(func() { c.runRoom(r) })
	}()
	for c.roomStep(r) {
	}
	returned = true
}

// roomStep sends what there is to send, and reports whether there may be more.
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

	if arrived {
		// Snapshot waits for tell, so that the lists have all entries tracked before PushState.
		c.tracker.Snapshot(r.topic, func([]*tracker.Entry) {})
	}
	// Diffs are sent before lists, so that few changes have to be undone in a list.
	rest := c.tellRoom(r)
	if countDue && c.big.is(r.topic) {
		c.send(r.topic, eventCount, c.countOf(r.topic, c.sample(r.topic)))
	}
	c.serve(r)
	if rest > 0 {
		c.waitForClients(r, rest)
	}
	return true
}

// serve starts new readers and continues others.
func (c *core) serve(r *room) {
	c.mu.Lock()
	begin := slices.Clip(r.arrivals) // clipped, since begin is appended to and arrivals is used below
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
		c.begin(r, begin)
	}
	for _, m := range more {
		c.sendMore(r, m.rd, m.list)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.serving = nil
}

// waitForClients waits until the room may send diffs again, or has something else to do. It may send
// after the time d, and earlier if the queues of all members are low.
func (c *core) waitForClients(r *room, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	c.mu.Lock()
	members := slices.Collect(maps.Keys(r.members))
	c.mu.Unlock()
	// The queues are checked one after the other. One that was low may fill up again while the next
	// is awaited, but only with messages of other senders.
	for _, ch := range members {
		for low := pace.Low(ch); low != nil; low = pace.Low(ch) {
			if !c.waitFor(r, t, low) {
				return
			}
		}
	}
	if len(members) > 0 {
		r.budget.left = maxMessageBytes
		return
	}
	c.waitFor(r, t, nil) // only subscribers of the program, whose queues are not known
}

// waitFor waits until low is closed, and then returns true. It returns false when t fires, when the room
// has something else to do, or when the presence ends.
func (c *core) waitFor(r *room, t *time.Timer, low <-chan struct{}) bool {
	select {
	case <-low:
		return true
	case <-t.C:
	case <-r.wake:
	case <-c.closed:
	}
	return false
}

// join adds a member to a room until its channel ends.
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

// failed logs that a function of the program panicked with v, or called runtime.Goexit if v is nil.
func (c *core) failed(name string, v any) {
	if v == nil {
		v = "runtime.Goexit was called"
	}
	c.book.Say(notice.PresenceHook, slog.String("hook", name), slog.Any("error", v), redact.StackAttr())
}
