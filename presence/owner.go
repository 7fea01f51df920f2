package presence

import (
	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/tracker"
)

// Owner owns entries in any number of topics. They are removed when it ends. The owner of a channel
// ends with its channel, any other when Close is called. After that Track and Update return
// bennu.ErrClosed. Its methods may be called from any goroutine.
type Owner[Meta any] struct {
	p     *Presence[Meta]
	owner *owner
	ended error // the error of all methods, if there is no owner
}

// Of returns the owner of a channel's entries, to track it in topics other than its own. If the channel
// has ended, the methods of the result return bennu.ErrClosed.
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

// NewOwner returns an owner that is not a channel, such as a worker or a game. Limits.Burst and
// Rate do not apply to it. Its entries stay until it is closed.
func (p *Presence[Meta]) NewOwner() *Owner[Meta] {
	return &Owner[Meta]{p: p, owner: p.core.owners.add(nil)}
}

// Track adds an entry to a topic and returns its ref. An owner has at most one entry for a key in a
// topic. The errors are those of Presence.Track.
func (o *Owner[Meta]) Track(topic, key string, meta Meta) (ref string, err error) {
	return o.change(meta, func(data []byte) (*tracker.Entry, error) { return o.p.core.track(o.owner, topic, key, data) })
}

// Update replaces the meta of an entry and returns the new ref. The errors are those of
// Presence.Update.
func (o *Owner[Meta]) Update(topic, key string, meta Meta) (ref string, err error) {
	return o.change(meta, func(data []byte) (*tracker.Entry, error) { return o.p.core.update(o.owner, topic, key, data) })
}

// UpdateFunc replaces the meta of an entry by f of the present meta. It is not atomic: two
// concurrent calls for one entry may pass the same meta to f. No lock is held while f runs.
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

// Close ends the owner and removes its entries. The owner of a channel needs no Close: it ends with the
// channel. Further calls have no effect.
func (o *Owner[Meta]) Close() {
	if o.ended == nil {
		o.p.core.owners.end(o.owner)
	}
}

// change encodes a meta, passes it to do, and returns the ref of the entry that do made. The meta is
// encoded without a lock, since its MarshalJSON may be the program's.
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
