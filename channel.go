package bennu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Channel is one topic joined by one connection. The state of a channel usually embeds it. All its
// methods may be called from any goroutine, at any time, also after the channel has ended.
type Channel struct {
	socket  *Socket
	topic   string
	joinRef wire.Ref // of the join, or its ref if that is null; on all pushes and replies
	// intercepts are the events that HandleOut handles, or nil. It is set before the first broadcast
	// can arrive and never changed.
	intercepts *[]string
	// joinedNull reports that the client joined with a null join_ref; see tableRef.
	joinedNull bool

	// mu guards all other fields, and orders the frames of the channel. A frame is queued on the
	// connection while mu is held and after state was read, so no frame can follow a change of the
	// state that forbids it. Socket.mu may be held when mu is taken, never the reverse.
	state    channelState
	running  bool // an executor goroutine exists or is being started
	joinRuns bool // the Join callback has not returned
	stopping bool // an itemStop is in the mailbox; there is at most one
	mu       sync.Mutex
	instance Instance // nil until Join has returned, and after the end
	box      mailbox
	sub      *pubsub.Subscription // to the channel's own topic, unless that is kept
	kept     *keptState           // nil unless the topic has a history; set by the join
	runs     *handlerContext      // of the callback that runs; after a panic, of the last one
	extras   *extras              // nil while there are none; extra makes them
}

// extras are the fields that few channels use at any one time. They are apart because an idle
// channel without them takes much less memory. Channel.mu guards them.
type extras struct {
	others    []subscription    // of Channel.Subscribe
	held      []transport.Frame // broadcasts that wait for the join reply
	heldBytes int
	finding   context.CancelFunc // ends findPlace
	tasks     []*channelTask     // of Channel.Go, waiting for the join to succeed
	leaveRef  wire.Ref           // of the first leave in the mailbox
	gone      chan struct{}      // closed when the state becomes closed; made on demand
	reason    error              // why the state is closed
	watchdog  *time.Timer        // logs a callback that runs on after the end
	going     int                // number of goroutines of Go that run
	after     []func()           // of AfterEnd
	ctx       context.Context    // made on demand, with cancel
	cancel    context.CancelCauseFunc
}

// subscription is one of a PubSub or, for a topic that has a history, one of its follower.
type subscription interface{ Cancel() }

// extra returns c.extras and makes them if there are none. The caller holds c.mu.
func (c *Channel) extra() *extras {
	if c.extras == nil {
		c.extras = new(extras)
	}
	return c.extras
}

// tableRef returns the join_ref exactly as the client sent it, which may be null. Messages of the
// client are compared with it, and phx_close and phx_error carry it.
func (c *Channel) tableRef() wire.Ref {
	if c.joinedNull {
		return ""
	}
	return c.joinRef
}

// isStale reports whether a message of the client belongs to an earlier join of the topic. A
// message with a null join_ref belongs to the current one.
func (c *Channel) isStale(m *wire.Message) bool {
	return !m.JoinRef.IsNull() && m.JoinRef != c.tableRef()
}

// Topic returns the topic that the client joined.
func (c *Channel) Topic() string { return c.topic }

// Socket returns the connection that the channel belongs to.
func (c *Channel) Socket() *Socket { return c.socket }

// Push sends an event to this channel's client. The payload is a value that encodes to a JSON
// object, a Payload, Raw, []byte for a binary frame, or nil for {}. Push does not block. When the
// client reads so slowly that its queue is full, the connection is closed.
//
// Push returns ErrInvalid for an event that is empty or belongs to the protocol, and for a payload
// that is neither an object nor bytes, ErrNotJoined in Join, ErrClosed after the end, and ErrTooLarge
// for a message that is larger than the client's queue. It returns wire.ErrNoBinary for bytes to a
// client of long polling or of version 1 of the protocol.
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
	if err := c.at(nil).of(event).checkFrame(f); err != nil {
		return err
	}
	return c.emit(f)
}

// isNil reports whether the program called a method without a channel: its state embeds a *Channel
// that join did not set, or an empty Channel.
func (c *Channel) isNil() bool { return c == nil || c.socket == nil }

var errNilChannel = errors.New("bennu: the *Channel is nil; keep the one that join is given in the state that it returns")

// emit queues a frame of the channel. The error is ErrNotJoined or ErrClosed if the state of the
// channel, or its connection, forbids the frame.
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

// Broadcast publishes an event to every subscriber of the channel's topic on all nodes, including
// this channel's client. For payload see Push; a []byte, Raw or Payload must not be changed
// afterwards.
//
// After ErrNotJoined, ErrClosed and errors about the event or the payload, nobody got the event.
// For ErrTooLarge see Endpoint.Broadcast: either nobody got it, or only the clients of this node.
// After any other error, other nodes did not get it. On a topic that has a history it is as for
// Endpoint.Broadcast. Bytes do not reach clients of long polling and of version 1 of the protocol.
func (c *Channel) Broadcast(event string, payload any) error { return c.broadcast(nil, event, payload) }

// BroadcastFrom is Broadcast to every subscriber except this channel. Other channels of the same
// connection or the same user do get the event.
func (c *Channel) BroadcastFrom(event string, payload any) error {
	return c.broadcast((*fastlane)(c), event, payload)
}

// broadcast publishes an event on the channel's topic to every subscriber except from, which may be
// nil.
func (c *Channel) broadcast(from pubsub.Subscriber, event string, payload any) error {
	m, err := c.newBroadcast(event, payload)
	if err != nil {
		return err
	}
	return c.socket.node.publish(from, m)
}

// newBroadcast makes a message on the channel's topic. The error is about the message or the state of
// the channel.
func (c *Channel) newBroadcast(event string, payload any) (*pubsub.Message, error) {
	if c.isNil() {
		return nil, errNilChannel
	}
	m, err := newMessage(c.topic, event, payload)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	state := c.state
	c.mu.Unlock()
	switch state {
	case joining:
		return nil, ErrNotJoined
	case ended:
		return nil, ErrClosed
	}
	return m, nil
}

// Send puts a message into the channel's own mailbox, for the handler that OnInfo registered for
// its type. In Join it is kept until the join has succeeded, and dropped if the join fails. Messages
// of one sender are handled in order. The error is ErrClosed or ErrMailboxFull; see Limits.
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

// Leave closes the channel from the server's side, after the messages that are in its mailbox now
// are handled. The client gets phx_close and does not join again by itself.
func (c *Channel) Leave() {
	if c.isNil() {
		panic(fmt.Errorf("%w (in the call of Leave at %s)", errNilChannel, caller()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= closed || c.stopping {
		return
	}
	// The bounds of the mailbox do not apply: an application may want to close a channel because
	// its mailbox is full.
	c.stopping = true
	c.box.push(item{kind: itemStop})
	c.startLocked()
}

// AfterEnd registers f to run once when the channel ends; if it has ended, f runs now. It is for
// data outside the channel that belongs to it, such as its presence; the state of the channel has
// Terminate. f runs in the goroutine that ends the channel, perhaps while a callback of the channel
// still runs. It must not block and must not panic.
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
