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
	"github.com/bennu-go/bennu/internal/ability"
)

// An Endpoint is an endpoint under test. Start and Mount make one. It and its clients belong to the
// goroutine of the test; only Channel.Push may be called from others.
type Endpoint struct {
	*bennu.Endpoint
	// Timeout bounds each wait for a message. A test that passes does not wait for it, so it
	// may be long. In a bubble of testing/synctest it is fake time. Default 10 s.
	Timeout time.Duration

	bubble bool // of testing/synctest; asked once, since it cannot change

	// mu guards the fields below, and those of clients, channels and entries. It is never held
	// while code of the application runs.
	mu      sync.Mutex
	entries []*entry      // of all clients, in order
	changed chan struct{} // closed, and replaced, at each change
	clients []*Client
	names   int
	late    []error // panics of callbacks whose channel had ended
}

// Start takes an endpoint into a test, with all that is mounted on it. When the test ends, the endpoint
// is shut down, and calls the functions of its OnShutdown.
func Start(t testing.TB, e *bennu.Endpoint) *Endpoint {
	t.Helper()
	under := &Endpoint{Endpoint: e, bubble: inBubble(), changed: make(chan struct{})}
	t.Cleanup(func() { under.end(t) })
	return under
}

// Mount makes an endpoint with users at /socket and starts it. opts may be nil. Without a Logger,
// warnings and errors go to the output of the test.
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

// Settle waits until all messages of the clients are handled, and everything that follows from them:
// broadcasts, messages of Channel.Send, and their callbacks. No callback runs then, and everything
// that callbacks have sent has arrived. A test may now look at what they have changed, or check that
// something did not happen.
//
// In a bubble of testing/synctest, nothing can happen after Settle before time passes. Elsewhere
// Settle does not wait for goroutines of the application, those of Channel.Go included, nor for other
// nodes or a presence.
//
// If a callback does not return within Timeout, the test fails.
func (e *Endpoint) Settle(t testing.TB) {
	t.Helper()
	if !e.settle() {
		t.Fatalf("channeltest: a callback does not return, or they keep each other busy, for %v\n%s", e.timeout(), e.transcript())
	}
}

// settle is Settle; it returns false after Timeout. In a bubble the clock cannot move before all goroutines
// wait, so synctest.Wait is exact. Elsewhere the frames of the clients are given to the server first,
// and then the endpoint is asked when all its mailboxes are empty: the order matters, since a frame
// that is given later fills a mailbox again.
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
	var one ability.Idler // it is the whole endpoint that is idle
	if len(e.clients) > 0 {
		one, _ = e.clients[0].receiver.(ability.Idler)
	}
	e.mu.Unlock()
	return one == nil || one.AwaitIdle(ctx) == nil
}

// patience is the default of Timeout.
const patience = 10 * time.Second

// timeout is Timeout, or the default.
func (e *Endpoint) timeout() time.Duration {
	if e.Timeout > 0 {
		return e.Timeout
	}
	return patience
}

// end shuts the endpoint down. The clients have ended by then: their cleanups were registered later.
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

// poll calls look, with the lock held, after each change. It ends when look returns true or a reason why
// it never will, or when ctx ends.
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

// changedLocked wakes all calls of poll.
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
