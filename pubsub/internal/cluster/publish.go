package cluster

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// Broadcast implements pubsub.Adapter.
func (n *Node) Broadcast(m *pubsub.Message) error {
	return n.publish(TopicChannel(n.options.Prefix, m.Topic), m, "subscribers of this node get it, other nodes do not")
}

// Direct implements pubsub.Adapter.
func (n *Node) Direct(node string, m *pubsub.Message) error {
	if !validName(node, nodeExtra, MaxName) {
		return fmt.Errorf("pubsub: no node has the name %q", node)
	}
	return n.publish(inboxChannel(n.options.Prefix, node), m, "the other node does not get it")
}

// tooLarge is a pubsub.ErrTooLarge for the broker.
type tooLarge struct {
	what       string // the part that is too large
	bytes      int    // its size
	whose      string // the owner of the limit
	most       int    // the limit
	recipients string // a clause about who gets the message all the same
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("%v for other nodes: %s takes %d bytes, and %s allows %d; %s", pubsub.ErrTooLarge, e.what, e.bytes, e.whose, e.most, e.recipients)
}

func (e *tooLarge) Unwrap() error { return pubsub.ErrTooLarge }

// fits returns an error if a message with an envelope of this size is too large, and otherwise nil.
func (n *Node) fits(m *pubsub.Message, size int, recipients string) *tooLarge {
	broker, buffer := n.link.MaxPayload(), n.options.Buffer-overheadBytes
	switch {
	case len(m.Topic) > maxTopic:
		return &tooLarge{"its topic", len(m.Topic), "a node", maxTopic, recipients}
	case len(m.Event) > maxEvent:
		return &tooLarge{"its event", len(m.Event), "a node", maxEvent, recipients}
	case m.Place != nil && len(m.Place.Epoch) > maxEpoch:
		return &tooLarge{"the epoch of its place", len(m.Place.Epoch), "a node", maxEpoch, recipients}
	case m.Place != nil && len(m.Place.From) > maxFrom:
		return &tooLarge{"the channel of its place", len(m.Place.From), "a node", maxFrom, recipients}
	case size > buffer && buffer < broker:
		return &tooLarge{"its envelope", size, "option Buffer", buffer, recipients}
	case size > broker:
		return &tooLarge{"its envelope", size, "the broker", broker, recipients}
	}
	return nil
}

// publish queues a message. recipients is for the error about a message that is too large.
func (n *Node) publish(channel string, m *pubsub.Message, recipients string) error {
	e := envelope{kind: messageKind(m), boot: n.boot, message: *m}
	if cause := n.muted.check(channel); cause != nil {
		n.outbox.refused(channel)
		n.sayRefused(channel, n.about(m, slog.Any("error", cause))...)
		return fmt.Errorf("pubsub: the broker does not take messages to this topic: %w", cause)
	}
	if large := n.fits(m, n.codec.size(&e), recipients); large != nil {
		n.book.Say(notice.BrokerTooLarge, n.about(m, slog.Int("limit", large.most), slog.String("error", large.Error()))...)
		return large
	}
	err := n.outbox.push(n.codec, channel, &e)
	// Senders of messages to one node try again, or log the loss themselves.
	if err == pubsub.ErrBufferFull && !strings.HasPrefix(channel, n.outbox.inboxes) {
		n.book.Say(notice.BrokerFull, n.about(m, slog.Int("limit", n.options.Buffer))...)
	}
	return err
}

// about returns the attributes of a log line about a message, without its payload.
func (n *Node) about(m *pubsub.Message, attrs ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{
		notice.Foreign("topic", m.Topic), notice.Foreign("event", m.Event), slog.Int("bytes", len(m.Payload)),
	}, attrs...)
}
