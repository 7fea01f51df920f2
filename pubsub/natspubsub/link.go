package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// link is a connection to NATS.
type link struct {
	where   string // for messages
	url     string
	prefix  string
	options []nats.Option
	beat    time.Duration

	conn   atomic.Pointer[nats.Conn]
	events cluster.Events
	gate   *gate
	inbox  chan *nats.Msg // of all subscriptions; the gate keeps it from filling
	done   chan struct{}
	tasks  tasks

	// What the client knows too, but does not answer while it connects again.
	payload atomic.Int64
	at      atomic.Pointer[string]

	turn chan struct{} // holds who changes subscriptions
	subs subscriptions
	// reconnects is how often the client had connected again when its subscriptions were looked
	// at. It is used by who has the turn.
	reconnects uint64
	faults     faults
	barrier    *barrier

	telling sync.Mutex // makes the order of Down and Up that of what happens
	losses  int
}

const (
	// confirmTime is how long NATS may take to confirm subscriptions.
	confirmTime = 10 * time.Second
	// pings is how many of the client's own may be without an answer. The node looks
	// itself whether NATS is there, and knows when it is late; the client does not.
	pings = 3
)

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

// Open implements cluster.Link.
func (l *link) Open(ctx context.Context, e cluster.Events) error {
	l.events = e
	connected := make(chan struct{})
	var conn *nats.Conn
	var err error
	go func() {
		defer close(connected)
		conn, err = l.connect()
	}()
	select {
	case <-connected:
	case <-ctx.Done():
		l.gate.close() // no dial gets through
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

// connect makes a connection, which lasts until it is closed or NATS ends it for good.
func (l *link) connect() (*nats.Conn, error) {
	conn, err := nats.Connect(l.url, append([]nats.Option{
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectToServer(new(rounds).next),
		nats.ReconnectBufSize(-1), // what waits, waits in the node
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

// down says that the connection is gone.
func (l *link) down(cause error) {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.losses++
	if !l.tasks.ended() {
		l.events.Down(cause)
	}
}

// loss is the number of the last loss.
func (l *link) loss() int {
	l.telling.Lock()
	defer l.telling.Unlock()
	return l.losses
}

// up says that the connection is back, unless it was lost again.
func (l *link) up(loss int) {
	l.telling.Lock()
	defer l.telling.Unlock()
	if l.losses == loss && !l.tasks.ended() {
		l.events.Up()
	}
}

// returned follows a connection that the client has made again. It has subscribed
// everything again.
func (l *link) returned(c *nats.Conn, loss int) {
	l.note(c)
	if !l.take(context.Background()) {
		return
	}
	defer l.give()
	reconnects := c.Stats().Reconnects
	// When the answer to a ping is here, NATS has the subscriptions. It may be late. If the
	// connection is lost before it comes, we are called again.
	for !l.confirmed(c) {
		if !c.IsConnected() || l.loss() != loss || l.tasks.ended() {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	sure := l.settle(ctx, c) // not when the barrier is among those for which there is no place
	l.reconnects = reconnects
	if (!sure || l.unsure()) && !l.subscribeAnew() {
		renew(c, reconnects)
		return
	}
	l.up(loss)
}

// renew has a connection made again on which NATS takes too long to answer. When it is lost
// already, and so it was not the one after so many others, returned or reopen follows anyway.
func renew(c *nats.Conn, reconnects uint64) {
	if c.IsConnected() && c.Stats().Reconnects == reconnects {
		_ = c.ForceReconnect() // fails only when it is closed
	}
}

// confirmed waits for the answer to a ping.
func (l *link) confirmed(c *nats.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	return c.FlushWithContext(ctx) == nil
}

// reopen follows a connection that NATS has ended for good, over a message that is too
// large for it by now or whatever else the client does not connect again for.
func (l *link) reopen() {
	for round := 1; ; round++ {
		pause := time.NewTimer(reconnectDelay(round))
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

// note keeps what the server says of itself.
func (l *link) note(c *nats.Conn) {
	l.payload.Store(c.MaxPayload())
	if id := c.ConnectedServerId(); id != "" { // which it is while connected
		l.at.Store(&id)
	}
}

// explain says what to do about a connection that was not to be had. The errors
// of the client hold no password.
func (l *link) explain(err error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("natspubsub: %s: %w (%w); check User and Password, Token, or the credentials file", l.where, pubsub.ErrLogin, err)
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("natspubsub: no NATS server answers at %s; is it running, and is the address right? (%w)", l.where, err)
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("natspubsub: NATS at %s and this node disagree about TLS: %w; use a tls:// URL, or none", l.where, err)
	}
	return fmt.Errorf("natspubsub: connect to NATS at %s: %w", l.where, err)
}

// cause is why the connection is gone.
func cause(err error) error {
	if err == nil {
		return errors.New("NATS: the connection was dropped")
	}
	return fmt.Errorf("NATS: %w", err)
}

// read takes what comes, as fast as the node does.
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

// Publish implements cluster.Link.
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

// Server implements cluster.Link.
func (l *link) Server() string { return *l.at.Load() }

// Reset implements cluster.Link.
func (l *link) Reset() { _ = l.conn.Load().ForceReconnect() } // fails only when it is closed

// Close implements cluster.Link.
func (l *link) Close() {
	conn := l.conn.Load()
	if conn == nil {
		return
	}
	// What the node has handed over is to get there. It is a second in steps, so that the time
	// in which the whole process stood still does not count.
	for step := 0; step < 10 && conn.IsConnected() && conn.FlushTimeout(time.Second/10) != nil; step++ {
	}
	l.tasks.end()
	conn.Close()
	l.gate.close()
	close(l.done) // not the inbox: the library may be about to put something in
	l.tasks.wait()
	l.conn.Load().Close() // one that was made meanwhile
}

// tasks are the goroutines of a link. None starts after the end.
type tasks struct {
	mu   sync.Mutex
	over bool
	all  sync.WaitGroup
}

func (t *tasks) start(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.all.Go(f)
	}
}

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

func (t *tasks) wait() { t.all.Wait() }
