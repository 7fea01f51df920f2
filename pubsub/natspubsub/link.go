package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/natsdial"
	"github.com/bennu-go/bennu/internal/steps"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// link implements cluster.Link with a connection to NATS.
//
// The client library reconnects by itself, and then subscribes to everything again. The link reports
// Down when the connection is lost, and Up when NATS has confirmed all subscriptions on the next
// one. NATS does not confirm a subscription by itself: it only sends an error, some time later, if it
// refuses one. So after each change the link sends a ping, which NATS answers after the errors, and
// then waits until the library has passed all errors to the link (settle).
//
// Goroutines, which Close awaits: read, which passes messages to the node, and while they have
// something to do returned, reopen, sortOut, and, with an embedded server, watchRoutes. The library
// has goroutines of its own, in which it calls down and fault.
//
// Lock order: turn, barrier.mu, and then subs.mu or faults.mu, which are held for a moment. The link
// waits for NATS while it holds turn and barrier.mu.
type link struct {
	where   string // the servers, for messages
	url     string
	prefix  string
	options []nats.Option
	beat    time.Duration

	conn   atomic.Pointer[nats.Conn]
	events cluster.Events
	gate   *gate
	inbox  chan *nats.Msg // of all subscriptions; the gate keeps it from being full
	done   chan struct{}
	tasks  tasks

	// Copies of values that the library does not return while it reconnects.
	payload atomic.Int64
	at      atomic.Pointer[string]

	turn chan struct{} // a lock, held while subscriptions are changed
	subs subscriptions
	// reconnects is the library's count of reconnects when subs was last up to date. turn
	// guards it.
	reconnects uint64
	faults     faults
	barrier    *barrier

	telling sync.Mutex // keeps calls of Down and Up in order
	losses  int        // number of lost connections
}

const (
	// confirmTime bounds the wait for the confirmation of subscriptions.
	confirmTime = 10 * time.Second
	// pings is the number of unanswered pings of the library until it reconnects. It is
	// generous, since the node tests the connection itself, and unlike the library notices if
	// its own process was stopped.
	pings = 3
)

// newLink makes a link that is not connected. Empty values mean the defaults.
func newLink(prefix string, beat time.Duration) *link {
	if beat <= 0 {
		beat = cluster.DefaultBeat
	}
	if prefix == "" {
		prefix = cluster.DefaultPrefix
	}
	inbox := make(chan *nats.Msg, gateMessages+readMessages)
	l := &link{
		prefix: prefix, beat: beat, inbox: inbox, done: make(chan struct{}), gate: newGate(inbox),
		turn: make(chan struct{}, 1), subs: subscriptions{have: make(map[string]*nats.Subscription)},
		barrier: newBarrier(unknown(prefix)),
	}
	l.faults.init()
	l.at.Store(new(string))
	return l
}

// Open implements cluster.Link. The error says what to check.
func (l *link) Open(ctx context.Context, e cluster.Events) error {
	l.events = e
	connected := make(chan struct{})
	var conn *nats.Conn
	var err error
	go func() {
		defer close(connected)
		conn, err = l.connect()
	}()
	// nats.Connect takes no context, so the wait is here.
	select {
	case <-connected:
	case <-ctx.Done():
		l.gate.close() // ends a dial
		<-connected
		if err == nil {
			l.tasks.end()
			conn.Close()
		}
		return fmt.Errorf("natspubsub: connect to NATS at %s: %w", l.where, context.Cause(ctx))
	}
	if err != nil {
		return l.explain(err)
	}
	l.tasks.start(l.read)
	return nil
}

// connect makes a connection, which the library renews until it is closed or fails for good.
func (l *link) connect() (*nats.Conn, error) {
	conn, err := nats.Connect(l.url, append([]nats.Option{
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectToServer(new(natsdial.Rounds).Next),
		nats.ReconnectBufSize(-1), // messages wait in the node, not in the library
		nats.PingInterval(l.beat),
		nats.MaxPingsOutstanding(pings),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { l.down(cause(err)) }),
		nats.ReconnectHandler(func(c *nats.Conn) {
			loss := l.loss()
			l.tasks.start(func() { l.returned(c, loss) })
		}),
		nats.ClosedHandler(func(*nats.Conn) { l.tasks.start(l.reopen) }),
		nats.ErrorHandler(l.fault),
	}, l.options...)...)
	if err != nil {
		return nil, err
	}
	l.barrier.renew(conn)
	l.conn.Store(conn)
	l.note(conn)
	return conn, nil
}

// down counts a loss of the connection and reports it to the node.
func (l *link) down(cause error) {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.losses++
	if !l.tasks.ended() {
		l.events.Down(cause)
	}
}

// loss returns the number of losses so far.
func (l *link) loss() int {
	l.telling.Lock()
	defer l.telling.Unlock()
	return l.losses
}

// up reports to the node that the connection is back, unless it was lost again after the given loss.
func (l *link) up(loss int) {
	l.telling.Lock()
	defer l.telling.Unlock()
	if l.losses == loss && !l.tasks.ended() {
		l.events.Up()
	}
}

// returned runs when the library has reconnected and has subscribed to everything again. It reports Up when
// NATS has confirmed that.
func (l *link) returned(c *nats.Conn, loss int) {
	l.note(c)
	if !l.take(context.Background()) {
		return
	}
	defer l.give()
	reconnects := c.Stats().Reconnects
	// When NATS answers a ping, it has the subscriptions. If the connection is lost before that,
	// returned is called again.
	for !l.confirmed(c) {
		if !c.IsConnected() || l.loss() != loss || l.tasks.ended() {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	sure := l.settle(ctx, c) // false if the subscription of the barrier is over the limit
	l.reconnects = reconnects
	if (!sure || l.unsure()) && !l.subscribeAnew() {
		renew(c, reconnects)
		return
	}
	l.up(loss)
}

// renew makes the library reconnect, because NATS takes too long to answer. If the library has already
// lost the connection with that number of reconnects, renew does nothing: returned or reopen will run.
func renew(c *nats.Conn, reconnects uint64) {
	if c.IsConnected() && c.Stats().Reconnects == reconnects {
		_ = c.ForceReconnect() // fails only when it is closed
	}
}

// confirmed sends a ping, and reports whether it was answered.
func (l *link) confirmed(c *nats.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	return c.FlushWithContext(ctx) == nil
}

// reopen runs when the library has given up a connection, for example because NATS has closed it after a
// message that is too large. It tries to connect until it succeeds.
func (l *link) reopen() {
	for round := 1; ; round++ {
		pause := time.NewTimer(natsdial.Delay(round))
		select {
		case <-pause.C:
		case <-l.done:
			pause.Stop()
			return
		}
		if !l.take(context.Background()) {
			return
		}
		loss := l.loss()
		conn, err := l.connect()
		switch {
		case err == nil && l.tasks.ended():
			conn.Close()
		case err == nil:
			l.reconnects = 0
			if l.subscribeAnew() {
				l.up(loss)
			} else {
				renew(conn, 0)
			}
		case barred(err):
			l.down(&cluster.Refusal{Cause: l.explain(err)})
		}
		l.give()
		if err == nil || l.tasks.ended() {
			return
		}
	}
}

// note copies the values of a new connection that the library does not return while it reconnects.
func (l *link) note(c *nats.Conn) {
	l.payload.Store(c.MaxPayload())
	if id := c.ConnectedServerId(); id != "" { // empty if it was lost again
		l.at.Store(&id)
	}
}

// explain adds to an error of connecting what to do about it.
func (l *link) explain(err error) error {
	return fmt.Errorf("natspubsub: %w", natsdial.Explain(l.where, err, pubsub.ErrLogin))
}

// cause returns the reason for a lost connection.
func cause(err error) error {
	if err == nil {
		return errors.New("NATS: the connection was dropped")
	}
	return fmt.Errorf("NATS: %w", err)
}

// read is the goroutine that passes received messages to the node. It blocks while the node does, and
// the gate then stops reading from NATS.
func (l *link) read() {
	for {
		select {
		case m := <-l.inbox:
			l.gate.taken(m)
			l.events.Message(m.Subject, m.Data)
		case <-l.done:
			return
		}
	}
}

// Publish implements cluster.Link. The library buffers messages and sends them in its own goroutine.
func (l *link) Publish(ctx context.Context, messages []cluster.Outgoing) (taken int, err error) {
	for i, m := range messages {
		if m.Question() {
			if err := l.mayPublish(ctx, m); err != nil {
				return i, err
			}
			continue
		}
		switch err := l.conn.Load().Publish(m.Channel, m.Data); {
		case err == nil:
		case errors.Is(err, nats.ErrMaxPayload):
			return i, fmt.Errorf("NATS: %w", err)
		default:
			return i, cluster.ErrAway
		}
	}
	return len(messages), nil
}

// MaxPayload implements cluster.Link.
func (l *link) MaxPayload() int { return int(l.payload.Load()) }

// Server implements cluster.Link: it returns the id of the server to which the link is connected.
func (l *link) Server() string { return *l.at.Load() }

// Reset implements cluster.Link.
func (l *link) Reset() { _ = l.conn.Load().ForceReconnect() } // fails only when it is closed

// Close implements cluster.Link. It waits up to a second for messages that are not sent yet.
func (l *link) Close() {
	conn := l.conn.Load()
	if conn == nil {
		return
	}
	steps.Until(10, time.Second/10, func(step time.Duration) bool {
		return !conn.IsConnected() || conn.FlushTimeout(step) == nil
	})
	l.tasks.end()
	conn.Close()
	l.gate.close()
	close(l.done) // and not inbox, to which the library may still send
	l.tasks.wait()
	l.conn.Load().Close() // in case reopen has made another one
}

// tasks are the goroutines of a link. None is started after end.
type tasks struct {
	mu   sync.Mutex
	over bool
	all  sync.WaitGroup
}

// start runs f in a goroutine, unless end was called.
func (t *tasks) start(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.all.Go(f)
	}
}

// end prevents further goroutines.
func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

func (t *tasks) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// wait waits for all goroutines.
func (t *tasks) wait() { t.all.Wait() }
