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
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/tracker"
)

// core is a Presence without its type.
type core struct {
	settings
	ps      *pubsub.PubSub
	tracker *tracker.Tracker
	owners  *owners
	fetch   fetcher
	book    *notice.Book // of what is refused
	began   time.Time

	changed     func(topic string, d tracker.Diff)
	first, last func(topic, key string)

	// telling is held while a diff is told, so that those that were held back come in
	// order with the others.
	telling sync.Mutex
	held    holder
	keys    keyCounts
	big     bigTopics

	closed chan struct{}
	once   sync.Once
}

func newCore(ps *pubsub.PubSub, set settings, log *slog.Logger) *core {
	if log == nil {
		log = slog.Default()
	}
	book := notice.NewBook(slog.New(redact.NewHandler(log.Handler())))
	c := &core{settings: set, ps: ps, book: book, began: time.Now(), closed: make(chan struct{})}
	c.owners = newOwners(func() *tracker.Tracker { return c.tracker })
	c.fetch.timeout, c.fetch.book = set.fetchTimeout, book
	c.held.init(c)
	c.big.init(c)
	return c
}

func (c *core) start(ctx context.Context, o *tracker.Options) (err error) {
	c.keys.on = c.first != nil || c.last != nil || c.large != nil
	if o.Name == "" {
		o.Name = "presence"
	}
	t, err := tracker.Start(ctx, c.ps, o, c.tell)
	if err != nil {
		return err
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	if c.tracker == nil {
		c.tracker = t
	}
	return nil
}

func (c *core) close() error {
	var err error
	c.once.Do(func() {
		close(c.closed)
		err = c.tracker.Close()
		c.held.close()
		c.big.close()
		c.fetch.close()
	})
	return err
}

func (c *core) now() time.Duration { return time.Since(c.began) }

func (c *core) track(o *owner, topic, key string, meta []byte) (*tracker.Entry, error) {
	if c.tracker.Count(topic) >= c.entries {
		c.book.Say(notice.PresenceFull, o.about(topic, slog.Int("limit", c.entries))...)
		return nil, ErrFull
	}
	return c.change(o, topic, meta, func() (*tracker.Entry, error) { return c.tracker.Track(topic, o.id, key, meta) })
}

func (c *core) update(o *owner, topic, key string, meta []byte) (*tracker.Entry, error) {
	return c.change(o, topic, meta, func() (*tracker.Entry, error) { return c.tracker.Update(topic, o.id, key, meta) })
}

func (c *core) change(o *owner, topic string, meta []byte, do func() (*tracker.Entry, error)) (*tracker.Entry, error) {
	if len(meta) > c.metaBytes {
		c.book.Say(notice.PresenceMeta, o.about(topic, slog.Int("bytes", len(meta)), slog.Int("limit", c.metaBytes))...)
		return nil, fmt.Errorf("%w: the meta has %d bytes, %d are allowed", ErrTooLarge, len(meta), c.metaBytes)
	}
	if !c.owners.allow(o, c.now(), c.burst, c.rate) {
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

// list is the entries of a topic as clients see them: those whose leave is held back
// included.
func (c *core) list(topic string) []*tracker.Entry {
	return together(c.tracker.List(topic), c.held.of(topic))
}

// together adds the entries that are held back. One of them is in both lists when it
// left or came back between the two looks.
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

func (c *core) get(topic, key string) []*tracker.Entry {
	list := c.tracker.Get(topic, key)
	if c.leaveDelay > 0 {
		list = together(list, c.held.ofKey(topic, key))
	}
	return list
}

func (c *core) count(topic string) int { return c.tracker.Count(topic) + len(c.held.of(topic)) }

// state is the payload of presence_state.
func (c *core) state(topic string) bennu.Raw {
	return c.encode(topic, c.list(topic))
}

func (c *core) encode(topic string, entries []*tracker.Entry) bennu.Raw {
	g := c.group(entries)
	return g.append(nil, c.fetch.fields(topic, g.keys()))
}

// pushState sends a client who is here, just as the others have been told.
func (c *core) pushState(ch *bennu.Channel) (err error) {
	topic := ch.Topic()
	c.tracker.Snapshot(topic, func(list []*tracker.Entry) {
		c.telling.Lock()
		defer c.telling.Unlock()
		if state, count, ok := c.big.state(topic); ok {
			if err = ch.Push(eventState, state); err == nil {
				err = ch.Push(eventCount, count)
			}
			return
		}
		err = ch.Push(eventState, c.encode(topic, together(list, c.held.of(topic))))
	})
	return err
}

// Events, as Phoenix has them; eventCount is ours.
const (
	eventState = "presence_state"
	eventDiff  = "presence_diff"
	eventCount = "presence_count"
)

// tell is called by the tracker with each change.
func (c *core) tell(t *tracker.Tracker, d tracker.Diff) {
	c.telling.Lock()
	defer c.telling.Unlock()
	if c.tracker == nil { // start has not returned yet
		c.tracker = t
	}
	for topic, part := range d.ByTopic() {
		if c.leaveDelay > 0 {
			part = c.held.filter(topic, part, time.Now())
		}
		c.tellTopic(topic, part)
	}
}

// tellTopic tells the clients of this node, then the hooks. It is called with telling
// held.
func (c *core) tellTopic(topic string, d tracker.Diff) {
	if d.Empty() {
		return
	}
	firsts, lasts := c.keys.apply(topic, d)
	// Each node has the entries of all topics, and clients in some of them.
	if !c.big.take(topic) && c.ps.Subscribers(topic) > 0 {
		c.sendDiff(topic, d)
	}
	if c.changed != nil {
		c.hook("Changed", func() { c.changed(topic, d) })
	}
	for _, key := range firsts {
		if c.first != nil {
			c.hook("First", func() { c.first(topic, key) })
		}
	}
	for _, key := range lasts {
		if c.last != nil {
			c.hook("Last", func() { c.last(topic, key) })
		}
	}
}

// hook calls one of the application's. Its panic is its own.
func (c *core) hook(name string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			c.book.Say(notice.PresenceHook, slog.String("hook", name), slog.String("error", fmt.Sprint(v)), redact.StackAttr())
		}
	}()
	f()
}

// send broadcasts to the clients of this node: each node tells its own.
func (c *core) send(topic, event string, payload []byte) {
	c.ps.LocalBroadcast(&pubsub.Message{Topic: topic, Event: event, Payload: payload})
}
