package bennu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Channel is one topic joined by one connection. A handler's state usually
// embeds it. All its methods may be called from any goroutine, at any time, also
// after the channel has ended.
type Channel struct {
	socket  *Socket
	topic   string
	joinRef wire.Ref // on the channel's pushes and replies
	// intercepts is set before the first broadcast can arrive and never changed.
	intercepts []string
	// joinedNull says that the client joined with a null join_ref; see tableRef.
	joinedNull bool

	// mu guards what follows, and orders what the channel emits: a frame is
	// queued on the connection with mu held and the state looked at, so nothing can
	// slip out after the state has changed.
	state    channelState
	running  bool // an executor goroutine exists, or is about to
	joinRuns bool // the Join callback has not returned
	stopping bool // an itemStop is in the mailbox
	mu       sync.Mutex
	instance Instance
	box      mailbox
	sub      *pubsub.Subscription
	runs     *handlerContext // of the callback that runs, or ran last before the mailbox was empty
	extras   *extras         // use extra to write
}

// extras is what few channels have at any one time. A channel that is just joined has
// none, which is a good part of what it costs.
type extras struct {
	others    []*pubsub.Subscription // topics of Channel.Subscribe
	held      []transport.Frame      // broadcasts that wait for the join reply
	heldBytes int
	tasks     []*channelTask // of Channel.Go, waiting for the join to succeed
	leaveRef  wire.Ref       // of the first leave in the mailbox
	gone      chan struct{}  // closed when state becomes closed; made on demand
	reason    error          // why the state is closed
	watchdog  *time.Timer
	going     int             // goroutines of Go that run
	after     []func()        // of AfterEnd
	ctx       context.Context // made on demand, with cancel
	cancel    context.CancelCauseFunc
}

// extra is c.extras, made if need be. The lock is held.
func (c *Channel) extra() *extras {
	if c.extras == nil {
		c.extras = new(extras)
	}
	return c.extras
}

// tableRef is the join_ref just as the client sent it: messages are compared with
// it, and phx_close and phx_error carry it.
func (c *Channel) tableRef() wire.Ref {
	if c.joinedNull {
		return ""
	}
	return c.joinRef
}

// Topic is the topic the client joined.
func (c *Channel) Topic() string { return c.topic }

// Socket is the connection the channel belongs to.
func (c *Channel) Socket() *Socket { return c.socket }

// Push sends an event to this channel's client. The payload is a value that
// encodes to a JSON object, a Payload, Raw, []byte for a binary frame, or nil for {}.
// The event must not be empty, nor one of the protocol's own: ErrEvent.
// It returns ErrTooLarge when the message is larger than the client's queue, and wire.ErrNoBinary for
// bytes to a client of long polling or of version 1 of the protocol.
// It does not block; when the client reads too slowly for its queue, the connection
// is closed.
func (c *Channel) Push(event string, payload any) error {
	if c.isNil() {
		return errNilChannel
	}
	if err := checkEvent(event); err != nil {
		return err
	}
	p, err := encodeObject(payload)
	if err != nil {
		return err
	}
	f, err := c.pushFrame(event, p)
	if err != nil {
		return err
	}
	if !c.socket.takes(f) {
		return c.at(nil).of(event).refuse(f)
	}
	return c.emit(f)
}

// isNil reports whether this is no channel, but the Channel of a state that join has made
// without the one it was given.
func (c *Channel) isNil() bool { return c == nil || c.socket == nil }

var errNilChannel = errors.New("bennu: the *Channel is nil; keep the one that join is given in the state that it returns")

// emit queues a frame of the channel if it may still send any.
func (c *Channel) emit(f transport.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case joined, leaving:
		if c.socket.conn.Send(f) {
			return nil
		}
		return ErrClosed
	case joining:
		return ErrNotJoined
	}
	return ErrClosed
}

// Broadcast publishes an event to every subscriber of the channel's topic on
// all nodes, this channel's client included. For the payload see Push; a []byte,
// Raw or Payload must not be changed afterwards.
//
// After ErrNotJoined, ErrClosed and errors about event or payload, nobody got the event. After any
// other error other nodes did not get it. For ErrTooLarge see Endpoint.Broadcast: nobody got it, or
// this node's clients alone. Bytes do not reach clients of long polling and of version 1.
func (c *Channel) Broadcast(event string, payload any) error { return c.broadcast(nil, event, payload) }

// BroadcastFrom is Broadcast without this channel. Other channels of the same
// connection or the same user do get it.
func (c *Channel) BroadcastFrom(event string, payload any) error {
	return c.broadcast((*fastlane)(c), event, payload)
}

func (c *Channel) broadcast(from pubsub.Subscriber, event string, payload any) error {
	if c.isNil() {
		return errNilChannel
	}
	m, err := newMessage(c.topic, event, payload)
	if err != nil {
		return err
	}
	c.mu.Lock()
	state := c.state
	c.mu.Unlock()
	switch state {
	case joining:
		return ErrNotJoined
	case ended:
		return ErrClosed
	}
	return c.socket.node.publish(from, m)
}

// Send puts a message into the channel's own mailbox, for the handler that
// OnInfo registered for its type. From within Join it is kept until the join has
// succeeded. Messages of one sender are handled in order.
func (c *Channel) Send(msg any) error {
	if c.isNil() {
		return errNilChannel
	}
	if c.post(item{kind: itemInfo, info: msg}) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= closed {
		return ErrClosed
	}
	return ErrMailboxFull
}

// Leave closes the channel from the server's side, after what is in its mailbox
// now: the client gets phx_close, and does not join again by itself.
func (c *Channel) Leave() {
	if c.isNil() {
		panic(fmt.Errorf("%w (in the call of Leave at %s)", errNilChannel, caller()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= closed || c.stopping {
		return
	}
	// It is not counted by the mailbox's bounds: an application that wants to be rid of
	// a channel may want so because the mailbox is full.
	c.stopping = true
	c.box.push(item{kind: itemStop})
	c.startLocked()
}

// Subscribe lets the channel hear the broadcasts of another topic, as messages of
// type Broadcast for OnInfo. It ends with the channel.
func (c *Channel) Subscribe(topic string) error {
	if c.isNil() {
		return errNilChannel
	}
	if topic == "" || reserved.Topic(topic) {
		return ErrTopic // the topic may be of a client's choice
	}
	sub := c.socket.node.pubsub.Subscribe(topic, (*listener)(c))
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

// AfterEnd has f called once when the channel ends, however it ends, or at once when it
// has ended. It is for what belongs to the channel from outside, such as its
// presence; a channel's own state has Terminate. f runs wherever the channel was
// ended from, perhaps while a callback of it still runs: it must not block, and must not
// panic.
func (c *Channel) AfterEnd(f func()) {
	if c.isNil() {
		panic(fmt.Errorf("%w (in the call of AfterEnd at %s)", errNilChannel, caller()))
	}
	if f == nil {
		c.fail(c.atLast(), fmt.Errorf("bennu: %s: Channel.AfterEnd needs a function", caller()))
		return
	}
	c.mu.Lock()
	if c.state < closed {
		x := c.extra()
		x.after = append(x.after, f)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.runAfter([]func(){f})
}
