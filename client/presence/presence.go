package presence

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
)

// maxPending and maxPendingBytes bound the differences that wait for the list of their join. The
// oldest are dropped: that list has them already.
const (
	maxPending      = 1000
	maxPendingBytes = 16_000_000
)

// Options configure a Presence. The zero value, or a nil pointer, is the defaults.
type Options struct {
	// StateEvent and DiffEvent are the events with the list and with differences. Default
	// "presence_state" and "presence_diff".
	StateEvent, DiffEvent string
	// Logger gets events that do not fit Meta, as errors. Default slog.Default().
	Logger *slog.Logger
}

// A Presence is the list of one channel. Its methods may be called from any goroutine.
//
// Metas are told apart by the phx_ref that the server gives each of them. A list that comes after a
// rejoin is compared with the one before by these refs, so the callbacks get only what is different.
type Presence[Meta any] struct {
	book  *notice.Book
	topic string

	mu      sync.Mutex
	list    map[string]record[Meta]
	joinRef string // of the join whose list came last
	pending []pending[Meta]
	bytes   int    // of pending
	waits   string // the join whose list pending waits for
	onJoin  []func(Change[Meta])
	onLeave []func(Change[Meta])
	onSync  []func()
}

// pending is a difference that waits for a list.
type pending[Meta any] struct {
	diff[Meta]
	bytes int
}

// An Entry is one key of the list.
type Entry[Meta any] struct {
	// Metas has an element for each presence of the key, such as each of a user's devices.
	// The latest is usually the last.
	Metas []Meta
	// Fields is the JSON object that the server sent last for the key. Decode it for members
	// beside "metas". It must not be changed.
	Fields client.Payload
}

// A Change is a key that has come or gone. An update is both.
type Change[Meta any] struct {
	Key string
	// Metas are those that have come or gone.
	Metas []Meta
	// Others are the metas that the key had before it came, or has left after it went. It
	// is empty if the key is new in the list, or no longer in it.
	Others []Meta
	// Fields is as in Entry.
	Fields client.Payload
}

// New keeps the list of a channel. Call it before the channel is joined. The metas decode into Meta.
// The callbacks run with those of the channel, one at a time.
func New[Meta any](ch *client.Channel, opts *Options) *Presence[Meta] {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.StateEvent == "" {
		o.StateEvent = "presence_state"
	}
	if o.DiffEvent == "" {
		o.DiffEvent = "presence_diff"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	p := &Presence[Meta]{book: notice.NewBook(slog.New(redact.NewHandler(o.Logger.Handler()))), topic: ch.Topic(), list: map[string]record[Meta]{}}
	ch.On(o.StateEvent, p.state)
	ch.On(o.DiffEvent, p.diff)
	return p
}

// OnJoin registers f for each key that comes or gets another meta.
func (p *Presence[Meta]) OnJoin(f func(Change[Meta])) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onJoin = append(slices.Clip(p.onJoin), f)
}

// OnLeave registers f for each key that goes or loses a meta.
func (p *Presence[Meta]) OnLeave(f func(Change[Meta])) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onLeave = append(slices.Clip(p.onLeave), f)
}

// OnSync registers f for each change of the list. It is called after OnJoin and OnLeave.
func (p *Presence[Meta]) OnSync(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onSync = append(slices.Clip(p.onSync), f)
}

// List returns a copy of the list, by key.
func (p *Presence[Meta]) List() map[string]Entry[Meta] {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make(map[string]Entry[Meta], len(p.list))
	for key, r := range p.list {
		list[key] = Entry[Meta]{Metas: r.values(), Fields: r.fields}
	}
	return list
}

// Get returns one key of the list, and false if it is not there.
func (p *Presence[Meta]) Get(key string) (e Entry[Meta], ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.list[key]
	return Entry[Meta]{Metas: r.values(), Fields: r.fields}, ok
}

// state handles the whole list.
func (p *Presence[Meta]) state(m client.Message) {
	var now records[Meta]
	if err := m.Payload.Decode(&now); err != nil {
		p.bad(m)
		return
	}
	p.mu.Lock()
	p.joinRef = m.JoinRef
	calls := p.apply(p.compare(now))
	p.wait(m.JoinRef)
	for _, d := range p.pending {
		calls = append(calls, p.apply(d.diff)...)
	}
	p.pending, p.bytes = nil, 0
	p.finish(calls)
}

// diff handles a difference. One that comes before the list of its join waits for it: the server
// subscribes the channel before it makes the list.
func (p *Presence[Meta]) diff(m client.Message) {
	var d diff[Meta]
	if err := m.Payload.Decode(&d); err != nil {
		p.bad(m)
		return
	}
	p.mu.Lock()
	if p.joinRef == "" || p.joinRef != m.JoinRef {
		p.wait(m.JoinRef)
		p.pending = append(p.pending, pending[Meta]{d, len(m.Payload.Data)})
		p.bytes += len(m.Payload.Data)
		dropped := 0
		for len(p.pending) > maxPending || p.bytes > maxPendingBytes {
			p.bytes -= p.pending[0].bytes
			p.pending = slices.Delete(p.pending, 0, 1)
			dropped++
		}
		p.mu.Unlock()
		if dropped > 0 {
			p.book.Say(notice.ClientPresenceDiff, notice.Foreign("topic", p.topic), slog.Int("differences", dropped))
		}
		return
	}
	p.finish(p.apply(d))
}

// wait drops the differences of an earlier join, which may be out of date.
func (p *Presence[Meta]) wait(joinRef string) {
	if p.waits != joinRef {
		p.waits, p.pending, p.bytes = joinRef, nil, 0
	}
}

// finish calls the callbacks. It is called with the lock held, and releases it.
func (p *Presence[Meta]) finish(calls []func()) {
	calls = append(calls, p.onSync...)
	p.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

func (p *Presence[Meta]) bad(m client.Message) {
	p.book.Say(notice.ClientPresenceEvent, notice.Foreign("topic", p.topic), notice.Foreign("event", m.Event))
}

// compare returns the difference between the list and now.
func (p *Presence[Meta]) compare(now records[Meta]) diff[Meta] {
	d := diff[Meta]{Joins: records[Meta]{}, Leaves: records[Meta]{}}
	for key, old := range p.list {
		if left := old.without(now[key]); len(left.metas) > 0 {
			d.Leaves[key] = left
		}
	}
	for key, r := range now {
		if joined := r.without(p.list[key]); len(joined.metas) > 0 {
			d.Joins[key] = joined
		}
	}
	return d
}

// apply changes the list, joins first, so that a key that is updated never seems to be gone. It returns
// the calls of the callbacks, which are made without the lock.
func (p *Presence[Meta]) apply(d diff[Meta]) (calls []func()) {
	for _, key := range slices.Sorted(maps.Keys(d.Joins)) {
		joined := d.Joins[key]
		before := p.list[key]
		p.list[key] = record[Meta]{append(before.without(joined).metas, joined.metas...), joined.fields}
		c := Change[Meta]{key, joined.values(), before.values(), joined.fields}
		for _, f := range p.onJoin {
			calls = append(calls, func() { f(c) })
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.Leaves)) {
		before, ok := p.list[key]
		if !ok {
			continue
		}
		left := d.Leaves[key]
		rest := before.without(left)
		if p.list[key] = rest; len(rest.metas) == 0 {
			delete(p.list, key)
		}
		c := Change[Meta]{key, left.values(), rest.values(), left.fields}
		for _, f := range p.onLeave {
			calls = append(calls, func() { f(c) })
		}
	}
	return calls
}
