package presence

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/tracker"
	"github.com/bennu-go/bennu/pubsub"
)

// core is a Presence without the type of its metas, which are JSON here.
//
// A change goes this way: the tracker calls tell, in order for each topic. tell adds the change to
// the room of the topic. The goroutine of the room sends it to the clients of this node and then adds
// it to hooks, whose goroutine calls the hooks of the program.
//
// Lock order: owner.mu, tracking, mu, then the locks of held, big, keys and hooks, which are
// held for a moment each. The locks of the tracker's shards may be taken while any of these is held,
// except by Snapshot, which waits for tell. No lock is held while a function of the program runs.
type core struct {
	settings
	ps      *pubsub.PubSub
	tracker *tracker.Tracker
	owners  *owners
	fetch   fetcher
	hooks   hooks
	book    *notice.Book // logs refusals
	began   time.Time

	mu         sync.Mutex // guards the fields below, and rooms themselves
	rooms      map[string]*room
	sweptRooms int // length of rooms after the last sweep
	ended      bool

	tracking sync.Mutex // held while the entries of a topic are counted and one is added

	held holder
	keys keyCounts // for large topics
	big  bigTopics

	tasks  sync.WaitGroup // all goroutines except those of the tracker and of fetch
	closed chan struct{}
	once   sync.Once
}

// newCore makes a core without its tracker, which start adds.
func newCore(ps *pubsub.PubSub, set settings, log *slog.Logger) *core {
	if log == nil {
		log = slog.Default()
	}
	book := notice.NewBook(slog.New(redact.NewHandler(log.Handler())))
	c := &core{settings: set, ps: ps, book: book, began: time.Now(), rooms: make(map[string]*room), closed: make(chan struct{})}
	c.owners = newOwners(func() *tracker.Tracker { return c.tracker }, newAllowances(c.now, set.burst, set.rate))
	c.fetch.init(set.fetchTimeout, book)
	c.hooks.init(c)
	c.held.init(c)
	c.big.init(c)
	return c
}

// start starts the tracker.
func (c *core) start(ctx context.Context, o tracker.Options) (err error) {
	t, err := tracker.Start(ctx, c.ps, o, c.tell)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracker == nil { // tell may have set it; from then on it is read without the lock
		c.tracker = t
	}
	return nil
}

// close ends the presence: it prevents new work, and then waits for all goroutines. Closing the tracker
// tells the other nodes.
func (c *core) close() error {
	var err error
	c.once.Do(func() {
		// Under the lock, so that no goroutine is added to tasks after Wait.
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
		close(c.closed)
		c.fetch.stop()
		err = c.tracker.Close()
		c.held.close()
		c.big.close()
		c.hooks.stop()
		c.tasks.Wait()
		c.fetch.calls.Wait()
	})
	return err
}

// now returns the time since the start, by the monotonic clock.
func (c *core) now() time.Duration { return time.Since(c.began) }

// track adds an entry, or returns ErrFull if the topic has no room for it.
func (c *core) track(o *owner, topic, key string, meta []byte) (*tracker.Entry, error) {
	full := c.full(topic, key) // counted first, so that a full topic does not use up the allowance
	var e *tracker.Entry
	var err error
	if !full {
		e, err = c.change(o, topic, meta, func() (*tracker.Entry, error) {
			// Counted again under the lock, since another caller may have taken the room.
			c.tracking.Lock()
			defer c.tracking.Unlock()
			if full = c.full(topic, key); full {
				return nil, ErrFull
			}
			return c.tracker.Track(topic, o.id, key, meta)
		})
	}
	if full {
		c.book.Say(notice.PresenceFull, o.about(topic, slog.Int("limit", c.entries))...)
		return nil, ErrFull
	}
	return e, err
}

// full reports whether a topic has no room for one more entry of a key.
func (c *core) full(topic, key string) bool {
	return c.tracker.Count(topic)+c.held.others(topic, key) >= c.entries
}

// update replaces an entry.
func (c *core) update(o *owner, topic, key string, meta []byte) (*tracker.Entry, error) {
	return c.change(o, topic, meta, func() (*tracker.Entry, error) { return c.tracker.Update(topic, o.id, key, meta) })
}

// change checks the size of the meta and the allowance of the owner, and calls do with owner.mu held,
// so that no entry is added after the end of its owner.
func (c *core) change(o *owner, topic string, meta []byte, do func() (*tracker.Entry, error)) (*tracker.Entry, error) {
	if len(meta) > c.metaBytes {
		c.book.Say(notice.PresenceMeta, o.about(topic, slog.Int("bytes", len(meta)), slog.Int("limit", c.metaBytes))...)
		return nil, fmt.Errorf("%w: the meta has %d bytes, %d are allowed", ErrTooLarge, len(meta), c.metaBytes)
	}
	if !c.owners.allow(o) {
		c.book.Say(notice.PresenceRate, o.about(topic, slog.Int("burst", c.burst), slog.Int("per_second", c.rate))...)
		return nil, ErrTooOften
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return nil, bennu.ErrClosed
	}
	return do()
}

// list returns the entries of a topic that clients see: those of the tracker, and those whose leave is
// held back.
func (c *core) list(topic string) []*tracker.Entry {
	return together(c.tracker.List(topic), c.held.of(topic))
}

// together returns the union of list and held. An entry is in both if it left or came back between the
// calls that returned them.
func together(list, held []*tracker.Entry) []*tracker.Entry {
	if len(held) == 0 {
		return list
	}
	both := make(map[*tracker.Entry]bool, len(list))
	for _, e := range list {
		both[e] = true
	}
	held = slices.DeleteFunc(held, func(e *tracker.Entry) bool { return both[e] })
	return append(list, held...)
}

// get returns the entries of a key that clients see.
func (c *core) get(topic, key string) []*tracker.Entry {
	list := c.tracker.Get(topic, key)
	if c.leaveDelay > 0 {
		list = together(list, c.held.ofKey(topic, key))
	}
	return list
}

// count returns the length of list.
func (c *core) count(topic string) int { return c.tracker.Count(topic) + c.held.count(topic) }

// state returns the payload of presence_state.
func (c *core) state(topic string) bennu.Raw {
	entries := c.list(topic)
	keys := make([]string, 0, len(entries))
	for _, e := range entries {
		keys = append(keys, e.Key())
	}
	slices.Sort(keys)
	return c.encode(entries, c.fetch.fields(topic, slices.Compact(keys)))
}

// tell takes a change from the tracker, which calls it in order for each topic and must not wait long.
func (c *core) tell(t *tracker.Tracker, d tracker.Diff) {
	c.mu.Lock()
	if c.tracker == nil { // tracker.Start has not returned yet
		c.tracker = t
	}
	c.mu.Unlock()
	for _, e := range d.Joins {
		if !t.Local(e) {
			c.checkForeign(e)
		}
	}
	for topic, part := range d.ByTopic() {
		// Each node has the entries of all topics. Most topics have no client here.
		alone := c.ps.Subscribers(topic) == 0
		c.mu.Lock()
		if c.leaveDelay > 0 {
			part = c.held.filter(topic, part, time.Now())
		}
		c.noteLocked(topic, part, alone)
		c.mu.Unlock()
	}
}

// checkForeign logs that the meta of another node's entry is invalid. See metaOf.
func (c *core) checkForeign(e *tracker.Entry) {
	if _, err := soundMeta([]byte(e.Meta())); err != nil {
		c.book.Say(notice.PresenceForeign, notice.Foreign("topic", e.Topic()), notice.Foreign("peer", e.Node()),
			slog.Int("bytes", len(e.Meta())), slog.String("error", err.Error()))
	}
}

// noteLocked adds a change to the room of its topic. If alone is true, the topic has no clients here, and
// the change goes straight to the hooks.
func (c *core) noteLocked(topic string, d tracker.Diff, alone bool) {
	if d.Empty() {
		return
	}
	r := c.rooms[topic]
	if alone && c.large == nil && (r == nil || !r.running) {
		c.hooks.add(topic, d)
		return
	}
	r = c.roomLocked(topic)
	r.untold.add(d)
	// Apart from untold, since hooks do not wait for slow clients.
	if c.large != nil || c.hooks.on() {
		r.news.add(d)
	}
	c.startLocked(r)
}
