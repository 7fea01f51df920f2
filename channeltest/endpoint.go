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
	// Timeout bounds each wait for a message. Only a test that fails waits so long, so it may be
	// generous. In a bubble of testing/synctest it is fake time. Default 10 s.
	Timeout time.Duration

	bubble bool // the endpoint was made in a bubble of testing/synctest

	// mu guards the fields below, and those of clients, channels and entries. It is never held
	// while code of the application runs.
	mu      sync.Mutex
	entries []*entry      // of all clients, in order
	changed chan struct{} // closed, and replaced, at each change
	clients []*Client
	names   int
	late    []error // panics of callbacks whose channel had ended
}

// Start puts an endpoint under test. Its sockets may be mounted before or after. When the test ends, the
// endpoint is shut down, which also calls the functions of OnShutdown.
func Start(t testing.TB, e *bennu.Endpoint) *Endpoint {
	t.Helper()
	under := &Endpoint{Endpoint: e, bubble: inBubble(), changed: make(chan struct{})}
	t.Cleanup(func() { under.end(t) })
	return under
}

// Mount makes an endpoint with users mounted at /socket, and puts it under test. opts may be nil. If
// opts has no Logger, warnings and errors are logged to the output of the test.
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

// Settle waits until all messages of the clients are handled, with everything that they cause:
// broadcasts, messages of Channel.Send, and their callbacks. When it returns no callback runs, and all
// messages of callbacks have arrived. A test may then read what callbacks have changed, or check that
// something has not happened.
//
// In a bubble of testing/synctest, nothing happens after Settle until time passes. Outside of a bubble
// Settle does not wait for goroutines of the application, including those of Channel.Go, nor for other
// nodes or the diffs of a presence.
//
// If that takes longer than Timeout, the test ends.
func (e *Endpoint) Settle(t testing.TB) {
	t.Helper()
	if !e.settle() {
		t.Fatalf("channeltest: a callback does not return, or callbacks cause each other, for %v\n%s", e.timeout(), e.transcript())
	}
}

// settle is Settle, but returns false after Timeout. In a bubble synctest.Wait is exact: it returns when
// all goroutines wait. Elsewhere settle first waits until the server has the frames of all clients, and
// then until the endpoint is idle. The order matters, since a frame that comes later fills a mailbox
// again.
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
	var one ability.Idler // any client will do: AwaitIdle waits for the whole endpoint
	if len(e.clients) > 0 {
		one, _ = e.clients[0].receiver.(ability.Idler)
	}
	e.mu.Unlock()
	return one == nil || one.AwaitIdle(ctx) == nil
}

// patience is the default of Timeout.
const patience = 10 * time.Second

// timeout returns Timeout, or its default.
func (e *Endpoint) timeout() time.Duration {
	if e.Timeout > 0 {
		return e.Timeout
	}
	return patience
}

// end shuts the endpoint down. The clients have ended already: cleanups run in reverse order, and theirs
// were registered later.
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

// poll calls look, with the lock held, at once and after each change. It returns when look returns true
// or a reason why it never will, or when ctx ends.
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

// inBubble reports whether the caller is in a bubble of testing/synctest. synctest.Wait panics outside of
// one, and there is no other way to ask.
func inBubble() (yes bool) {
	defer func() { yes = recover() == nil }()
	synctest.Wait()
	return true
}
