package redispubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// listener is one connection that subscribes. It ends with its connection.
type listener struct {
	conn    *connection
	pubsub  *redis.PubSub
	sharded bool
	message func(channel string, data []byte)
	lost    func(channel string) // the server took a subscription away

	writing sync.Mutex // makes the order of pending that of the wire

	mu      sync.Mutex
	pending []*command // sent, and not confirmed yet
	err     error      // why it ended
	dead    chan struct{}
	done    chan struct{} // its goroutine has ended
}

// command is a command that the server confirms once for each channel, in order.
type command struct {
	add       bool
	channels  []string
	confirmed int
	err       error
	done      chan struct{}
}

func newListener(conn *connection, sharded bool, message func(string, []byte), lost func(string)) *listener {
	l := &listener{
		conn: conn, pubsub: conn.client.Subscribe(context.Background()), sharded: sharded,
		message: message, lost: lost,
		dead: make(chan struct{}), done: make(chan struct{}),
	}
	return l
}

// maxChannels bounds the channels of one command: what confirms them waits in the
// server's buffer for this client, which has a limit.
const maxChannels = 1024

// send writes commands that add channels or take them back: in a cluster one for
// each slot, as a command may not have channels of two.
func (l *listener) send(ctx context.Context, add bool, channels []string) (sent []*command) {
	if l.sharded {
		channels = slices.Clone(channels)
		slots := make(map[string]int, len(channels))
		for _, c := range channels {
			slots[c] = slotOf(c)
		}
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
	l.pending = append(l.pending, c)
	l.mu.Unlock()
	call := l.pubsub.Subscribe
	switch {
	case add && l.sharded:
		call = l.pubsub.SSubscribe
	case !add && l.sharded:
		call = l.pubsub.SUnsubscribe
	case !add:
		call = l.pubsub.Unsubscribe
	}
	if err := safely(func() error { return call(ctx, channels...) }); err != nil {
		l.die(err)
	}
	return c
}

// await waits for commands. Its error is that of the first that has one; the others
// are done all the same.
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

// awaitFor is await with a limit: while nobody watches the session, a server that has
// gone silent must be noticed by other means.
func (l *listener) awaitFor(ctx context.Context, limit time.Duration, commands []*command) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errUnconfirmed)
	defer cancel()
	return l.await(ctx, commands)
}

var errUnconfirmed = errors.New("the server does not confirm subscriptions")

// run reads until the connection ends. Before the first command was written there is
// no connection to read from.
func (l *listener) run() {
	defer close(l.done)
	for {
		var got any
		err := safely(func() (err error) {
			got, err = l.pubsub.Receive(context.Background())
			return err
		})
		if told := redis.Error(nil); errors.As(err, &told) {
			l.refuse(err)
			continue
		}
		if err == nil {
			err = safely(func() error { return l.take(got) })
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

func (l *listener) take(got any) error {
	switch m := got.(type) {
	case *redis.Message:
		l.message(m.Channel, []byte(m.Payload))
	case *redis.Subscription:
		if !l.confirm(m) && m.Kind == "sunsubscribe" {
			l.lost(m.Channel)
		}
	case *redis.Pong:
	default:
		return fmt.Errorf("the server sent a %T", got)
	}
	return nil
}

// confirm notes what the server has done for the first command that waits. Anything
// else it does of its own accord.
func (l *listener) confirm(m *redis.Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		return false
	}
	c := l.pending[0]
	add := m.Kind == "subscribe" || m.Kind == "ssubscribe"
	if c.add != add || c.channels[c.confirmed] != m.Channel {
		return false
	}
	if c.confirmed++; c.confirmed == len(c.channels) {
		l.pending[0] = nil
		l.pending = l.pending[1:]
		close(c.done)
	}
	return true
}

// refuse fails the first command that waits, which an error of the server is the
// answer to.
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

// die ends the connection. The first cause is what counts.
func (l *listener) die(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = cause
	for _, c := range l.pending {
		c.err = cause
		close(c.done)
	}
	l.pending = nil
	close(l.dead)
	// Not the client: its locks may be held by who waits for this connection.
	_ = l.conn.raw.Close()
}

// close ends the listener and waits for its goroutine.
func (l *listener) close() {
	l.die(errClosed)
	<-l.done
	_ = l.pubsub.Close()
	l.conn.close()
}
