package presence

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/tracker"
)

// Errors of Track and Update. A handler that returns one of them replies "internal": wrap
// those that clients shall hear of into a bennu.Error.
var (
	ErrTracked    = tracker.ErrTracked    // this owner tracks this key in this topic already
	ErrNotTracked = tracker.ErrNotTracked // Update of what is not tracked
	ErrTooLarge   = tracker.ErrTooLarge   // topic, key or meta; another one than bennu.ErrTooLarge
	ErrFull       = tracker.ErrFull       // the topic has as many entries as it may
	ErrTooOften   = errors.New("presence: this connection tracks and updates too often")
	ErrNotObject  = errors.New("presence: a meta must encode to a JSON object without phx_ref and phx_ref_prev")
)

var errNilChannel = errors.New("presence: the *bennu.Channel is nil; keep the one that join is given in the state that it returns")

// Presence is who is here, in any number of topics. One is enough for a program, unless
// the metas are of several types.
type Presence[Meta any] struct{ core *core }

// New starts a presence on the PubSub of an endpoint. It returns when other nodes can be
// heard, or with an error that says what is wrong; ctx bounds that alone. A nil opts is
// the zero Options. Close it before the PubSub.
func New[Meta any](ctx context.Context, ps *pubsub.PubSub, opts *Options[Meta]) (*Presence[Meta], error) {
	if ps == nil {
		return nil, errors.New("presence: the PubSub is nil; use that of the endpoint, Endpoint.PubSub()")
	}
	o := Options[Meta]{}
	if opts != nil {
		o = *opts
	}
	set, err := o.settings()
	if err != nil {
		return nil, err
	}
	c := newCore(ps, set, o.Logger)
	c.fetch.hook = o.Fetch
	c.hooks.first, c.hooks.last = o.First, o.Last
	if o.Changed != nil {
		c.hooks.changed = func(topic string, d tracker.Diff) {
			o.Changed(Change[Meta]{Topic: topic, Joins: typed[Meta](d.Joins), Leaves: typed[Meta](d.Leaves)})
		}
	}
	if err := c.start(ctx, &tracker.Options{Name: o.Name, Shards: o.Shards, Config: o.Tracker, Logger: o.Logger}); err != nil {
		return nil, err
	}
	return &Presence[Meta]{c}, nil
}

// Close lets the entries of this node leave, on the others at once, and waits for its
// goroutines, hooks included.
func (p *Presence[Meta]) Close() error { return p.core.close() }

// Tracked is one meta of a key.
type Tracked[Meta any] struct {
	Meta Meta
	// Ref names the entry, on all nodes; PrevRef is that of the entry it replaced,
	// or "". An entry gets another Ref, with a leave and a join in one change, when its node
	// has to announce itself anew: another node had its name, or its clock went back.
	Ref, PrevRef string
}

// Change is a diff of one topic, by key. An update is a join and a leave.
type Change[Meta any] struct {
	Topic         string
	Joins, Leaves map[string][]Tracked[Meta]
}

// typed decodes entries. What another node tracked with another type may not fit; it
// is the zero Meta then.
func typed[Meta any](entries []*tracker.Entry) map[string][]Tracked[Meta] {
	byKey := make(map[string][]Tracked[Meta])
	for _, e := range entries {
		list, known := byKey[e.Key()]
		list = append(list, typedOne[Meta](e))
		if !known {
			byKey[strings.Clone(e.Key())] = list // a key may be kept for longer than its entry
			continue
		}
		byKey[e.Key()] = list
	}
	return byKey
}

func typedOne[Meta any](e *tracker.Entry) Tracked[Meta] {
	t := Tracked[Meta]{Ref: e.Ref(), PrevRef: e.PrevRef()}
	var m Meta
	if json.Unmarshal([]byte(e.Meta()), &m) == nil {
		t.Meta = m
	}
	return t
}

// Track adds an entry for a channel, in its topic, and returns its ref. It may be called
// from Join on; the entry leaves when the channel ends. The errors are those of this
// package, bennu.ErrClosed when the channel has ended, and what the encoding of meta
// returned.
func (p *Presence[Meta]) Track(ch *bennu.Channel, key string, meta Meta) (ref string, err error) {
	o := p.Of(ch)
	if o.ended != nil {
		return "", o.ended
	}
	return o.Track(ch.Topic(), key, meta)
}

// Update replaces a channel's meta.
func (p *Presence[Meta]) Update(ch *bennu.Channel, key string, meta Meta) (ref string, err error) {
	o := p.Of(ch)
	if o.ended != nil {
		return "", o.ended
	}
	return o.Update(ch.Topic(), key, meta)
}

// Untrack removes a channel's entry, if there is one.
func (p *Presence[Meta]) Untrack(ch *bennu.Channel, key string) {
	if o := p.Of(ch); o.ended == nil {
		o.Untrack(ch.Topic(), key)
	}
}

// List is who is here: the metas of a topic by key. It is the caller's.
func (p *Presence[Meta]) List(topic string) map[string][]Tracked[Meta] {
	return typed[Meta](p.core.list(topic))
}

// GetByKey is the metas of one key, nil when it has none. Its cost does not grow with
// the topic.
func (p *Presence[Meta]) GetByKey(topic, key string) []Tracked[Meta] {
	var list []Tracked[Meta]
	for _, e := range p.core.get(topic, key) {
		list = append(list, typedOne[Meta](e))
	}
	return list
}

// Count is the number of entries of a topic.
func (p *Presence[Meta]) Count(topic string) int { return p.core.count(topic) }

// State is what presence_state has for a topic, Fetch included, for a reply or a page. A
// client that follows the diffs is better served by PushState: who came and went while
// no diff was told may be in it.
func (p *Presence[Meta]) State(topic string) bennu.Raw { return p.core.state(topic) }

// PushState sends a channel's client who is here. A client needs it once after each
// join, before diffs mean anything to it; it has no place in Join, where nothing can be
// pushed yet. What the client has then is exactly what the clients of this node had been
// told. PushState returns when the first message is queued, or when it waits for room in the
// client's queue: the rest is sent while the client reads. With Options.Fetch it does not wait
// for any of it, so that a slow Fetch does not hold up the channel. Called again before that is
// over, it begins anew. ErrTooLarge says that one entry is larger than three quarters of the
// queue; with Fetch the log alone says so.
func (p *Presence[Meta]) PushState(ch *bennu.Channel) error {
	if ch == nil {
		return errNilChannel
	}
	return p.core.pushState(ch)
}

// Tracker is what runs underneath, for its counters.
func (p *Presence[Meta]) Tracker() *tracker.Tracker { return p.core.tracker }

// Owner is what entries belong to: a channel, or anything else with an end.
type Owner[Meta any] struct {
	p     *Presence[Meta]
	owner *owner
	ended error // the owner is none: its channel has ended
}

// Of is a channel as an owner, for topics other than its own.
func (p *Presence[Meta]) Of(ch *bennu.Channel) *Owner[Meta] {
	if ch == nil {
		return &Owner[Meta]{p: p, ended: errNilChannel}
	}
	o := p.core.owners.of(ch)
	if o == nil {
		return &Owner[Meta]{p: p, ended: bennu.ErrClosed}
	}
	return &Owner[Meta]{p: p, owner: o}
}

// NewOwner makes an owner that is no channel: a worker, a game, a connection of another
// kind. Its entries leave with Close. Limits of connections do not apply to it.
func (p *Presence[Meta]) NewOwner() *Owner[Meta] {
	return &Owner[Meta]{p: p, owner: p.core.owners.add(nil)}
}

// Track adds an entry to a topic, and returns its ref.
func (o *Owner[Meta]) Track(topic, key string, meta Meta) (ref string, err error) {
	return o.change(meta, func(data []byte) (*tracker.Entry, error) { return o.p.core.track(o.owner, topic, key, data) })
}

// Update replaces the meta of an entry.
func (o *Owner[Meta]) Update(topic, key string, meta Meta) (ref string, err error) {
	return o.change(meta, func(data []byte) (*tracker.Entry, error) { return o.p.core.update(o.owner, topic, key, data) })
}

// UpdateFunc replaces the meta of an entry by what f makes of it. Two of them at once
// for one entry may see the same meta.
func (o *Owner[Meta]) UpdateFunc(topic, key string, f func(Meta) Meta) (ref string, err error) {
	if o.ended != nil {
		return "", o.ended
	}
	e := o.p.core.tracker.Find(topic, o.owner.id, key)
	if e == nil {
		return "", ErrNotTracked
	}
	return o.Update(topic, key, f(typedOne[Meta](e).Meta))
}

// Untrack removes an entry, if there is one.
func (o *Owner[Meta]) Untrack(topic, key string) {
	if o.ended == nil {
		o.p.core.tracker.Untrack(topic, o.owner.id, key)
	}
}

// Close lets all entries of the owner leave. Those of a channel end with it in any case.
func (o *Owner[Meta]) Close() {
	if o.ended == nil {
		o.p.core.owners.end(o.owner)
	}
}

func (o *Owner[Meta]) change(meta Meta, do func([]byte) (*tracker.Entry, error)) (ref string, err error) {
	if o.ended != nil {
		return "", o.ended
	}
	data, err := encodeMeta(meta)
	if err != nil {
		return "", err
	}
	e, err := do(data)
	if err != nil {
		return "", err
	}
	return e.Ref(), nil
}
