package bennu

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/pubsub"
)

// PublishOption is an option of Channel.Publish and Endpoint.Publish.
type PublishOption func(*publishing)

// publishing are the options of one call.
type publishing struct {
	follow.PublishOptions
	exceptSelf bool
}

// maxKey bounds the bytes of a Key.
const maxKey = 128

// Key makes Publish publish the message once, whatever the retries: if a message with the key was
// published on the topic in the last 5 minutes, by any node, its offset is returned and nothing is
// published. A key has at most 128 bytes. The empty key is none.
func Key(key string) PublishOption {
	return func(p *publishing) { p.Key = key }
}

// After makes Publish publish the message only if no other message, of any event, was published on the
// topic after the one with this offset. Otherwise the error is a *history.Conflict with the newest offset. The
// zero Offset stands for a topic that has had no message. The Head of a Page of Endpoint.History is right for
// every topic, also when its messages have expired.
func After(o history.Offset) PublishOption {
	return func(p *publishing) {
		at := positionOf(o)
		p.After = &at
	}
}

// ExceptSelf leaves out the client of the channel whose Publish is called, as BroadcastFrom does.
func ExceptSelf() PublishOption {
	return func(p *publishing) { p.exceptSelf = true }
}

const (
	errLongKey invalidError = "the key of a message has more than 128 bytes; a hash of it is shorter"
	errSelf    invalidError = "Endpoint.Publish has no channel to leave out; use ExceptSelf with Channel.Publish"
)

// Publish is Broadcast with options, and returns the offset of the message. ctx and
// history.Options.PublishTimeout bound the wait for the store. The ctx of a handler ends when the client
// is gone; use context.WithoutCancel to publish all the same. On a topic without a history the offset is
// zero, and the options Key and After are refused with history.ErrNotKept.
func (c *Channel) Publish(ctx context.Context, event string, payload any, opts ...PublishOption) (history.Offset, error) {
	m, err := c.newBroadcast(event, payload)
	if err != nil {
		return history.Offset{}, err
	}
	return c.socket.node.publishWith(ctx, c, m, opts)
}

// Publish is Broadcast with options, and returns the offset of the message; see Channel.Publish.
func (e *Endpoint) Publish(ctx context.Context, topic, event string, payload any, opts ...PublishOption) (history.Offset, error) {
	m, err := newMessage(topic, event, payload)
	if err != nil {
		return history.Offset{}, err
	}
	return e.publishWith(ctx, nil, m, opts)
}

// History reads the messages of a topic as they were published, also those that channels intercept. The
// error is history.ErrNotKept, history.ErrUnavailable, or about the query.
func (e *Endpoint) History(ctx context.Context, topic string, q *history.Query) (history.Page, error) {
	if e.options.History == nil {
		return history.Page{}, e.errNotKept(topic)
	}
	return e.options.History.Read(ctx, topic, q)
}

// errNotKept is history.ErrNotKept for a topic, with what to change.
func (n *node) errNotKept(topic string) error {
	switch t := n.keeps(topic); {
	case n.keeping == nil:
		return fmt.Errorf("%w: %q is a topic of an endpoint without EndpointOptions.History", history.ErrNotKept, topic)
	case t != nil && t.NoResume:
		return fmt.Errorf("%w for clients: the history.Topic of %q has NoResume", history.ErrNotKept, topic)
	}
	return fmt.Errorf("%w: %q matches no Pattern of history.Options.Topics", history.ErrNotKept, topic)
}

// publishWith publishes a message of a channel, which is nil for one of the endpoint.
func (n *node) publishWith(ctx context.Context, c *Channel, m *pubsub.Message, opts []PublishOption) (history.Offset, error) {
	var p publishing
	for _, option := range opts {
		option(&p)
	}
	var from pubsub.Subscriber
	switch {
	case len(p.Key) > maxKey:
		return history.Offset{}, errLongKey
	case p.exceptSelf && c == nil:
		return history.Offset{}, errSelf
	case p.exceptSelf:
		from = (*fastlane)(c)
	}
	if !n.keepsMessage(m) {
		if p.Key != "" || p.After != nil {
			return history.Offset{}, n.errNotKept(m.Topic)
		}
		if err := ctx.Err(); err != nil {
			return history.Offset{}, context.Cause(ctx)
		}
		return history.Offset{}, n.publish(from, m)
	}
	if err := n.fits(m); err != nil {
		return history.Offset{}, err
	}
	p.From = n.senderOf(from, m.Topic)
	return n.append(ctx, m, p.PublishOptions)
}

// append gives a message to the history of its topic.
func (n *node) append(ctx context.Context, m *pubsub.Message, o follow.PublishOptions) (history.Offset, error) {
	at, err := n.keeping.Publish(ctx, m, o)
	if err != nil && o.After != nil && o.After.Epoch == "" {
		// A history may have begun without a message, for a client that has joined.
		if c, ok := errors.AsType[*history.Conflict](err); ok && positionOf(c.Head).Offset == 0 {
			head := positionOf(c.Head)
			o.After = &head
			at, err = n.keeping.Publish(ctx, m, o)
		}
	}
	return offsetOf(at), err
}

// senderOf returns the name under which a channel of a topic is left out as the sender of a message, or
// "" if there is none to leave out.
func (n *node) senderOf(from pubsub.Subscriber, topic string) string {
	l, _ := from.(*fastlane)
	c := (*Channel)(l)
	if c.isNil() || c.kept == nil || c.topic != topic {
		return ""
	}
	serial := c.kept.serial.Load()
	for serial == 0 {
		serial = n.serials.Add(1)
		if !c.kept.serial.CompareAndSwap(0, serial) {
			serial = c.kept.serial.Load()
		}
	}
	return n.boot + "/" + strconv.FormatUint(uint64(serial), 10)
}

// hasSent reports whether the channel is the sender of an entry, and so does not get it.
func (c *Channel) hasSent(e *follow.Entry) bool {
	serial := c.kept.serial.Load()
	if serial == 0 || e.Place.From == "" {
		return false
	}
	digits, ok := strings.CutPrefix(e.Place.From, c.socket.node.boot+"/")
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return err == nil && uint32(n) == serial
}
