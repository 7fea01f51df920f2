package presence

import (
	"context"
	"errors"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/tracker"
	"github.com/bennu-go/bennu/pubsub"
)

// Presence tracks who is present on any number of topics. A program needs one for each type
// of meta.
type Presence[Meta any] struct{ core *core }

// New starts a presence on the PubSub of an endpoint. It returns when the presence receives the
// messages of other nodes; ctx bounds only this wait. opts may be nil. Close the Presence before
// the PubSub, for example in a function of Endpoint.OnShutdown.
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
	if err := c.start(ctx, o.tracker()); err != nil {
		return nil, err
	}
	return &Presence[Meta]{c}, nil
}

// Close removes the entries of this node, also on other nodes, and waits for the goroutines of the
// presence and for running hooks. It must not be called from a hook. Further calls return nil.
func (p *Presence[Meta]) Close() error { return p.core.close() }

// Track adds an entry for a channel to its topic, and returns the ref of the entry. It may be
// called in the join function and after it. The entry leaves when the channel ends. The error is one
// of this package, bennu.ErrClosed if the channel has ended, or the error of encoding the meta.
func (p *Presence[Meta]) Track(ch *bennu.Channel, key string, meta Meta) (ref string, err error) {
	o := p.Of(ch)
	if o.ended != nil {
		return "", o.ended
	}
	return o.Track(ch.Topic(), key, meta)
}

// Update replaces the meta of a channel's entry in its topic, and returns the new ref. The errors are
// those of Track, with ErrNotTracked if there is no entry.
func (p *Presence[Meta]) Update(ch *bennu.Channel, key string, meta Meta) (ref string, err error) {
	o := p.Of(ch)
	if o.ended != nil {
		return "", o.ended
	}
	return o.Update(ch.Topic(), key, meta)
}

// Untrack removes a channel's entry in its topic, if there is one. It counts for no limit.
func (p *Presence[Meta]) Untrack(ch *bennu.Channel, key string) {
	if o := p.Of(ch); o.ended == nil {
		o.Untrack(ch.Topic(), key)
	}
}

// PushState sends the list of a channel's topic to its client, as presence_state. A client needs it
// once after each join, and ignores diffs before it. It must not be called in the join function,
// where nothing can be pushed yet.
//
// The client gets the list that the other clients of this node have, and the same diffs from
// then on. PushState returns when the first message is queued, or when the client's queue has no
// room; the rest is sent while the client reads. If Options.Fetch is set, PushState does not wait at
// all, so that a slow Fetch does not delay the channel. A second call starts over.
//
// The error is ErrTooLarge if an entry is larger than three quarters of the client's queue. If
// Options.Fetch is set, this is logged instead.
func (p *Presence[Meta]) PushState(ch *bennu.Channel) error {
	if ch == nil {
		return errNilChannel
	}
	return p.core.pushState(ch)
}

// List returns the metas of a topic by key, on all nodes. The map belongs to the caller. Its cost grows
// with the topic: each meta is decoded.
func (p *Presence[Meta]) List(topic string) map[string][]Tracked[Meta] {
	return typed[Meta](p.core.list(topic))
}

// GetByKey returns the metas of one key of a topic, or nil if it has none. Its cost does not grow with
// the topic.
func (p *Presence[Meta]) GetByKey(topic, key string) []Tracked[Meta] {
	var list []Tracked[Meta]
	for _, e := range p.core.get(topic, key) {
		list = append(list, typedOne[Meta](e))
	}
	return list
}

// Count returns the number of entries of a topic, on all nodes. Its cost does not grow with the topic.
func (p *Presence[Meta]) Count(topic string) int { return p.core.count(topic) }

// State returns the payload of presence_state for a topic, with the fields of Options.Fetch,
// for a reply or a web page. For clients that apply the diffs, use PushState: State may contain
// changes that a later diff has again.
func (p *Presence[Meta]) State(topic string) bennu.Raw { return p.core.state(topic) }
