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
	options []nats.Option
	beat    time.Duration

	conn   *nats.Conn
	events cluster.Events
	gate   *gate
	inbox  chan *nats.Msg // of all subscriptions; the gate keeps it from filling
	done   chan struct{}
	reader sync.WaitGroup

	// What the client knows too, but does not answer while it connects again.
	payload atomic.Int64
	at      atomic.Pointer[string]
	closing atomic.Bool

	mu   sync.Mutex
	subs map[string]*nats.Subscription
}

const (
	// confirmTime is how long NATS may take to confirm subscriptions.
	confirmTime = 10 * time.Second
)

func newLink(beat time.Duration) *link {
	if beat <= 0 {
		beat = cluster.DefaultBeat
	}
	inbox := make(chan *nats.Msg, gateMessages+readMessages)
	l := &link{beat: beat, inbox: inbox, done: make(chan struct{}), gate: newGate(inbox), subs: make(map[string]*nats.Subscription)}
	l.at.Store(new(string))
	return l
}

// Open implements cluster.Link.
func (l *link) Open(ctx context.Context, e cluster.Events) error {
	l.events = e
	options := append([]nats.Option{
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectToServer(new(rounds).next),
		nats.ReconnectBufSize(-1), // what waits, waits in the node
		nats.PingInterval(l.beat),
		nats.MaxPingsOutstanding(1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !l.closing.Load() {
				e.Down(cause(err))
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) {
			l.note(c)
			// Subscriptions are sent before this is called; when the answer to a ping
			// is here, NATS has them. If it does not come, we are called again.
			if c.FlushTimeout(confirmTime) == nil {
				e.Up()
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			// Of all asynchronous errors this one means that messages are gone.
			if errors.Is(err, nats.ErrSlowConsumer) {
				e.Dropped(cause(err))
			}
		}),
	}, l.options...)
	connected := make(chan struct{})
	var err error
	go func() {
		defer close(connected)
		l.conn, err = nats.Connect(l.url, options...)
	}()
	select {
	case <-connected:
	case <-ctx.Done():
		l.gate.close() // no dial gets through
		<-connected
		if err == nil {
			l.conn.Close()
		}
		return fmt.Errorf("natspubsub: connect to NATS at %s: %w", l.where, context.Cause(ctx))
	}
	if err != nil {
		return l.explain(err)
	}
	l.note(l.conn)
	l.reader.Go(l.read)
	return nil
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

// Subscribe implements cluster.Link.
func (l *link) Subscribe(ctx context.Context, channels []string) error {
	l.mu.Lock()
	for _, c := range channels {
		if l.subs[c] != nil {
			continue
		}
		sub, err := l.conn.ChanSubscribe(c, l.inbox)
		if err != nil {
			l.mu.Unlock()
			return fmt.Errorf("NATS: subscribe: %w", err)
		}
		l.subs[c] = sub
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	if err := l.conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("NATS did not confirm subscriptions: %w", err)
	}
	return nil
}

// Unsubscribe implements cluster.Link.
func (l *link) Unsubscribe(channels []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first error
	for _, c := range channels {
		sub := l.subs[c]
		delete(l.subs, c)
		if sub == nil {
			continue
		}
		if err := sub.Unsubscribe(); err != nil && first == nil && !errors.Is(err, nats.ErrConnectionClosed) {
			first = fmt.Errorf("NATS: unsubscribe: %w", err)
		}
	}
	return first
}

// Publish implements cluster.Link.
func (l *link) Publish(_ context.Context, messages []cluster.Outgoing) (taken int, err error) {
	for i, m := range messages {
		switch err := l.conn.Publish(m.Channel, m.Data); {
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
func (l *link) Reset() { _ = l.conn.ForceReconnect() } // fails only when it is closed

// Close implements cluster.Link.
func (l *link) Close() {
	if l.conn == nil {
		return
	}
	if l.conn.IsConnected() {
		_ = l.conn.FlushTimeout(time.Second) // what the node has handed over
	}
	l.closing.Store(true)
	l.conn.Close()
	l.gate.close()
	close(l.done) // not the inbox: the library may be about to put something in
	l.reader.Wait()
}
