package redispubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redisconn"
)

// listener is a connection with subscriptions. It ends with its connection, and is never used again.
//
// Redis answers the commands of a connection in order, and sends messages in between. So the answers are
// matched with pending, the queue of the commands that were written.
type listener struct {
	conn    *redisconn.Connection
	pubsub  *redis.PubSub
	sharded bool // SSUBSCRIBE and its like, in a cluster
	message func(channel string, data []byte)
	lost    func(channel string) // called when the server ends a subscription

	writing sync.Mutex // keeps pending in the order in which commands are written

	mu      sync.Mutex
	pending []*command    // written, and not confirmed yet
	err     error         // why it ended
	dead    chan struct{} // closed when it ends
	done    chan struct{} // closed when its goroutine has ended
}

// command is a command that the server confirms with one answer for each channel, in order, or refuses
// with one error.
type command struct {
	add       bool // SUBSCRIBE or SSUBSCRIBE; otherwise UNSUBSCRIBE or SUNSUBSCRIBE
	channels  []string
	confirmed int           // number of confirmed channels
	err       error         // read after done is closed
	done      chan struct{} // closed when all are confirmed, or with an error
}

// newListener makes a listener that calls message and lost in its goroutine, which run is. Both may
// block: the listener then stops reading, and Redis closes its connection when the output buffer is
// full. The listener owns conn from then on.
func newListener(conn *redisconn.Connection, sharded bool, message func(string, []byte), lost func(string)) *listener {
	l := &listener{
		conn: conn, pubsub: conn.Client.Subscribe(context.Background()), sharded: sharded,
		message: message, lost: lost,
		dead: make(chan struct{}), done: make(chan struct{}),
	}
	return l
}

// maxChannels bounds the channels of one command, since the answers wait in the output buffer of
// the server, which is limited.
const maxChannels = 1024

// send writes commands that subscribe to channels or unsubscribe from them. In a cluster there is
// one for each slot, since the channels of a command must have the same slot. It does not wait for the
// answers; await does. It may be called from any goroutine.
func (l *listener) send(ctx context.Context, add bool, channels []string) (sent []*command) {
	if l.sharded {
		channels = slices.Clone(channels)
		slots := make(map[string]int, len(channels))
		for _, c := range channels {
			slots[c] = redisconn.Slot(c)
		}
		// Sorted by slot, so that the channels of a slot are next to each other.
		slices.SortFunc(channels, func(a, b string) int { return slots[a] - slots[b] })
		for len(channels) > 0 {
			n := 1
			for n < min(len(channels), maxChannels) && slots[channels[n]] == slots[channels[0]] {
				n++
			}
			sent = append(sent, l.write(ctx, add, channels[:n]))
			channels = channels[n:]
		}
		return sent
	}
	for part := range slices.Chunk(channels, maxChannels) {
		sent = append(sent, l.write(ctx, add, part))
	}
	return sent
}

// write writes one command. If the listener has ended, the command fails at once.
func (l *listener) write(ctx context.Context, add bool, channels []string) *command {
	c := &command{add: add, channels: channels, done: make(chan struct{})}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	if l.err != nil {
		c.err = l.err
		close(c.done)
		l.mu.Unlock()
		return c
	}
	l.pending = append(l.pending, c) // before it is written, since run may read the answer at once
	l.mu.Unlock()                    // not held while writing, which may wait until run has read
	call := l.pubsub.Subscribe
	switch {
	case add && l.sharded:
		call = l.pubsub.SSubscribe
	case !add && l.sharded:
		call = l.pubsub.SUnsubscribe
	case !add:
		call = l.pubsub.Unsubscribe
	}
	if err := redisconn.Safely(func() error { return call(ctx, channels...) }); err != nil {
		l.die(err)
	}
	return c
}

// await waits for all commands, and returns the first error, or the cause of ctx if that ends first. An
// error of one command says nothing about the others.
func (l *listener) await(ctx context.Context, commands []*command) (err error) {
	for _, c := range commands {
		select {
		case <-c.done:
			if err == nil {
				err = c.err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}

// awaitFor is await with a time limit. It is for calls outside of watch, which otherwise notices a
// server that is silent.
func (l *listener) awaitFor(ctx context.Context, limit time.Duration, commands []*command) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errUnconfirmed)
	defer cancel()
	return l.await(ctx, commands)
}

// errUnconfirmed is the error of awaitFor after its limit.
var errUnconfirmed = errors.New("the server does not confirm subscriptions")

// run reads until the connection ends. It must be started after the first write, for which the library
// takes the connection: a Receive before it would wait for that write.
func (l *listener) run() {
	defer close(l.done)
	for {
		var got any
		// No time limit: a topic may be silent for long, and watch tests the server.
		err := redisconn.Safely(func() (err error) {
			got, err = l.pubsub.Receive(context.Background())
			return err
		})
		// An error that the server sent is an answer; any other one ends the connection.
		if told := redis.Error(nil); errors.As(err, &told) {
			l.refuse(err)
			continue
		}
		if err == nil {
			err = redisconn.Safely(func() error { return l.take(got) })
		}
		if err != nil {
			l.die(err)
			return
		}
		select {
		case <-l.dead:
			return
		default:
		}
	}
}

// take handles a message or an answer of the server.
func (l *listener) take(got any) error {
	switch m := got.(type) {
	case *redis.Message:
		l.message(m.Channel, []byte(m.Payload))
	case *redis.Subscription:
		if !l.confirm(m) && m.Kind == "sunsubscribe" {
			l.lost(m.Channel)
		}
	case *redis.Pong: // nobody asks for it, and it does no harm
	default:
		return fmt.Errorf("the server sent a %T", got)
	}
	return nil
}

// confirm counts an answer to the first pending command. It returns false if it is not an answer: the
// server also ends subscriptions by itself, when a slot moves, and tells that in the same form.
func (l *listener) confirm(m *redis.Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		return false
	}
	c := l.pending[0]
	add := m.Kind == "subscribe" || m.Kind == "ssubscribe"
	if c.add != add || c.channels[c.confirmed] != m.Channel { // Redis answers in the order of the channels
		return false
	}
	if c.confirmed++; c.confirmed == len(c.channels) {
		l.pending[0] = nil
		l.pending = l.pending[1:]
		close(c.done)
	}
	return true
}

// refuse fails the first pending command with an error of the server. The error stands for all channels of
// the command.
func (l *listener) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		return
	}
	c := l.pending[0]
	l.pending[0] = nil
	l.pending = l.pending[1:]
	c.err = err
	close(c.done)
}

// die ends the connection. Only the first call has an effect. Commands that are not confirmed fail with
// cause, since some of their channels may be subscribed and others not.
func (l *listener) die(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = cause
	for _, c := range l.pending { // they will not be answered
		c.err = cause
		close(c.done)
	}
	l.pending = nil
	close(l.dead)
	// Not the client, whose locks may be held by a call that waits for this connection.
	_ = l.conn.Raw.Close()
}

// close ends the listener and waits for its goroutine.
func (l *listener) close() {
	l.die(errClosed)
	<-l.done
	_ = l.pubsub.Close()
	l.conn.Close()
}
