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

// maxPending and maxPendingBytes bound the differences that wait for the list of their join. Of more,
// the oldest are dropped, with a line in the log: the list is likely to have them already.
const (
	maxPending      = 1000
	maxPendingBytes = 16_000_000
)

// Options configure a Presence. The zero value, or a nil pointer, means the defaults.
type Options struct {
	// StateEvent is the event with the whole list, DiffEvent the event with differences. Default
	// "presence_state" and "presence_diff".
	StateEvent, DiffEvent string
	// Logger gets events that do not fit Meta, as errors. Default slog.Default().
	Logger *slog.Logger
}

// A Presence is the list of one channel. Its methods may be called from any goroutine, callbacks
// included.
//
// The server gives each meta a phx_ref. When a list comes after a rejoin, it is compared by these refs
// with the one before, so that the callbacks get only the changes.
type Presence[Meta any] struct {
	book  *notice.Book
	topic string

	mu      sync.Mutex // guards the fields below; no callback runs with it held
	list    map[string]record[Meta]
	joinRef string // of the join whose list came last
	pending []pending[Meta]
	bytes   int    // of pending
	waits   string // join_ref of the differences in pending
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
	// Metas has one element for each presence of the key, such as one for each device of a
	// user. The latest is usually the last.
	Metas []Meta
	// Fields is the last JSON object that the server sent for the key. Decode it for members
	// beside "metas". It must not be changed.
	Fields client.Payload
}

// A Change says which metas of a key have joined or left. An update of a meta is a join followed by
// a leave.
type Change[Meta any] struct {
	Key string
	// Metas are those that have joined or left. It must not be changed: all callbacks share it.
	Metas []Meta
	// Others are the metas that the key had before the join, or still has after the leave. It
	// is empty if the key is new in the list, or no longer in it.
	Others []Meta
	// Fields is as in Entry.
	Fields client.Payload
}

// New returns a Presence that follows a channel. Call it before the channel is joined. Each meta is
// decoded into a Meta as by encoding/json. The callbacks run on the goroutine of the channel's
// callbacks, one at a time; a slow one counts for Options.MaxQueued of the client.
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

// OnJoin registers f, which is called for each key that gets one or more metas.
func (p *Presence[Meta]) OnJoin(f func(Change[Meta])) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onJoin = append(slices.Clip(p.onJoin), f)
}

// OnLeave registers f, which is called for each key that loses one or more metas.
func (p *Presence[Meta]) OnLeave(f func(Change[Meta])) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onLeave = append(slices.Clip(p.onLeave), f)
}

// OnSync registers f, which is called after each list and each difference, when OnJoin and OnLeave
// have returned.
func (p *Presence[Meta]) OnSync(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onSync = append(slices.Clip(p.onSync), f)
}

// List returns a copy of the list. The caller may change the map, and not the entries' Fields.
func (p *Presence[Meta]) List() map[string]Entry[Meta] {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make(map[string]Entry[Meta], len(p.list))
	for key, r := range p.list {
		list[key] = Entry[Meta]{Metas: r.values(), Fields: r.fields}
	}
	return list
}

// Get returns the entry of one key, and false if the list does not have the key.
func (p *Presence[Meta]) Get(key string) (e Entry[Meta], ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.list[key]
	return Entry[Meta]{Metas: r.values(), Fields: r.fields}, ok
}

// state handles a whole list, and then the differences that waited for it.
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

// diff handles a difference. The server subscribes the channel before it makes the list, so a
// difference may come before the list of its join; it then waits for the list.
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

// wait makes pending that of a join. It drops the differences of an earlier join, which may be out of
// date.
func (p *Presence[Meta]) wait(joinRef string) {
	if p.waits != joinRef {
		p.waits, p.pending, p.bytes = joinRef, nil, 0
	}
}

// finish unlocks p.mu and calls the callbacks.
func (p *Presence[Meta]) finish(calls []func()) {
	calls = append(calls, p.onSync...)
	p.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// bad logs an event that does not decode.
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

// apply changes the list. Joins come before leaves, so that a key that is updated is never missing. It
// returns the calls of the callbacks, which the caller makes without the lock.
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
