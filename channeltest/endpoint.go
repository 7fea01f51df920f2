package channeltest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
)

// Endpoint is an endpoint under test. Start and Mount make one.
//
// It and its clients belong to the goroutine that runs the test. Push may be called
// from others.
type Endpoint struct {
	*bennu.Endpoint
	// Timeout bounds the wait for what must come, and is no measure of speed: a test
	// that passes does not wait for it. Default 10 s. In a bubble of testing/synctest it
	// is fake time.
	Timeout time.Duration

	bubble bool

	mu      sync.Mutex
	entries []*entry // of all clients, in order
	changed chan struct{}
	clients []*Client
	names   int
	late    []error // panics of callbacks whose channel had ended
}

// Start takes an endpoint into a test, with all that is mounted on it. When the test
// ends the endpoint is shut down, which ends what was given to its OnShutdown, too.
func Start(t testing.TB, e *bennu.Endpoint) *Endpoint {
	t.Helper()
	under := &Endpoint{Endpoint: e, bubble: inBubble(), changed: make(chan struct{})}
	t.Cleanup(func() { under.end(t) })
	return under
}

// Mount makes an endpoint with users at /socket and starts it. A nil opts is the zero
// EndpointOptions; without a Logger warnings and errors go to the output of the test.
func Mount(t testing.TB, users *bennu.SocketHandler, opts *bennu.EndpointOptions) *Endpoint {
	t.Helper()
	o := bennu.EndpointOptions{}
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	e := bennu.NewEndpoint(&o)
	e.Socket("/socket", users, nil)
	return Start(t, e)
}

// Settle returns when everything is handled that the clients have sent, and what was
// broadcast and sent to channels in consequence: no callback runs or has anything to
// do, and all they have emitted has arrived. A test may then look at what they have
// changed, or say that something did not happen.
//
// In a bubble of testing/synctest nothing at all can happen any more before time
// passes. Elsewhere goroutines that the application started are not waited for, those
// of Channel.Go included, nor is what comes from other nodes or a presence.
//
// A callback that does not return within Timeout fails the test.
func (e *Endpoint) Settle(t testing.TB) {
	t.Helper()
	if !e.settle() {
		t.Fatalf("channeltest: a callback does not return, or they keep each other busy, for %v\n%s", e.timeout(), e.transcript())
	}
}

func (e *Endpoint) settle() bool {
	if e.bubble {
		synctest.Wait()
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.timeout())
	defer cancel()
	received := func() (bool, over) {
		return !slices.ContainsFunc(e.clients, func(c *Client) bool { return c.busy }), over{}
	}
	if ok, _ := e.poll(ctx, received); !ok {
		return false
	}
	e.mu.Lock()
	var one idler // it is the whole endpoint that is idle
	if len(e.clients) > 0 {
		one, _ = e.clients[0].receiver.(idler)
	}
	e.mu.Unlock()
	return one == nil || one.Idle(ctx) == nil
}

// idler is what the receivers of bennu can do beside what transports need.
type idler interface {
	Idle(ctx context.Context) error
	Handled(ctx context.Context, topic string)
}

// patience is the default of Timeout.
const patience = 10 * time.Second

func (e *Endpoint) timeout() time.Duration {
	if e.Timeout > 0 {
		return e.Timeout
	}
	return patience
}

// end follows the ends of all clients, as they were made after the endpoint.
func (e *Endpoint) end(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), max(e.timeout(), patience))
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Errorf("channeltest: the endpoint does not end: %v\n%s", err, e.transcript())
	}
	e.mu.Lock()
	late := e.late
	e.mu.Unlock()
	for _, err := range late {
		t.Errorf("channeltest: after the end of its channel, in Terminate or a callback that went on: %s", explain(err))
	}
}

// poll calls look, with the lock held, after each change, until it is content or names
// a reason for which it never will be, or ctx ends.
func (e *Endpoint) poll(ctx context.Context, look func() (ok bool, hopeless over)) (ok bool, hopeless over) {
	for {
		e.mu.Lock()
		ok, hopeless = look()
		changed := e.changed
		e.mu.Unlock()
		if ok || hopeless.text != "" {
			return ok, hopeless
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false, over{}
		}
	}
}

// changedLocked wakes those who poll.
func (e *Endpoint) changedLocked() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// inBubble reports whether the caller is in a bubble of testing/synctest.
func inBubble() (yes bool) {
	defer func() { yes = recover() == nil }()
	synctest.Wait()
	return true
}
