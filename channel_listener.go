package bennu

import (
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
)

// Subscribe subscribes the channel to another topic. Its broadcasts become messages of type
// Broadcast for OnInfo. The subscription ends with the channel. The error is ErrInvalid or ErrClosed.
func (c *Channel) Subscribe(topic string) error {
	if c.isNil() {
		return errNilChannel
	}
	if topic == "" || reserved.Topic(topic) {
		return errTopic // no panic: the topic may come from a client
	}
	sub := c.socket.node.subscribe(topic, (*listener)(c))
	c.mu.Lock()
	if c.state < closed {
		x := c.extra()
		x.others = append(x.others, sub)
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	sub.Cancel()
	return ErrClosed
}

// listener is the subscription of a channel to another topic, of Channel.Subscribe.
type listener Channel

// Deliver implements pubsub.Subscriber.
func (l *listener) Deliver(d *pubsub.Dispatch) {
	c := (*Channel)(l)
	if c.socket.node.isUnsound(d) {
		return
	}
	if !c.post(item{kind: itemInfo, event: d.Event, payload: Payload{Data: d.Payload, Binary: d.Binary}, info: broadcastOf(d.Message)}) {
		c.overflow(d.Event)
	}
}

// Gap implements pubsub.GapSubscriber.
func (l *listener) Gap(string) { (*Channel)(l).gap() }
