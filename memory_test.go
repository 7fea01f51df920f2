package bennu

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// memConn is a connection that ends in memory: it keeps the frames a client would
// get. Nothing reads from it, so it has no goroutine.
type memConn struct {
	mu     sync.Mutex
	frames []string
	room   int // how many more frames it takes; negative is any number
	code   transport.CloseCode
}

// Send implements seam.Conn.
func (c *memConn) Send(f transport.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.code != 0:
		return false
	case c.room == 0:
		c.code = transport.CloseTryAgainLater
		return false
	}
	c.room--
	c.frames = append(c.frames, string(f.Payload()))
	return true
}

// Close implements seam.Conn.
func (c *memConn) Close(code transport.CloseCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == 0 {
		c.code = code
	}
}

// memClient is the client of a memConn.
type memClient struct {
	memConn
	t      testing.TB
	socket *Socket
	ended  bool
}

// memEndpoint is an endpoint for clients in memory.
func memEndpoint(t testing.TB, users *SocketHandler, opts *EndpointOptions) (*Endpoint, *mountedHandler) {
	t.Helper()
	o := EndpointOptions{}
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.DrainTime = Unlimited
	e := NewEndpoint(&o)
	h, err := users.mount(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return e, h
}

// memDial connects a client of version 2.
func memDial(t testing.TB, h *mountedHandler) *memClient {
	t.Helper()
	c := &memClient{t: t, memConn: memConn{room: -1}}
	c.socket = memAccept(t, h)
	(*receiver)(c.socket).Opened(&c.memConn)
	t.Cleanup(func() { c.hangUp(transport.ErrClientClosed) })
	return c
}

// inMemory is the way by which such clients come.
func inMemory(h *mountedHandler) *via { return &via{handler: h, name: "memory", outbound: unbounded} }

func memAccept(t testing.TB, h *mountedHandler) *Socket {
	t.Helper()
	r, err := h.accept(inMemory(h), &transport.ConnectInfo{Transport: "memory", Params: transport.Params{"vsn": "2.0.0"}})
	if err != nil {
		t.Fatal(err)
	}
	return (*Socket)(r.(*receiver))
}

// send gives a message to the socket as its connection would. A result asks to
// wait.
func (c *memClient) send(text string) (resume <-chan struct{}) {
	return (*receiver)(c.socket).Receive(wire.Text, []byte(text))
}

// hangUp ends the connection.
func (c *memClient) hangUp(reason error) {
	if c.ended {
		return
	}
	c.ended = true
	c.Close(transport.CloseNormal)
	(*receiver)(c.socket).Closed(reason)
}

// closed is the code that the connection was closed with, or 0.
func (c *memClient) closed() transport.CloseCode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code
}

// take returns what has come since it was last called.
func (c *memClient) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := c.frames
	c.frames = nil
	return frames
}

// await waits for n frames and takes them.
func (c *memClient) await(n int) []string {
	c.t.Helper()
	got := c.take()
	for end := time.Now().Add(waittest.Patience); len(got) < n; got = append(got, c.take()...) {
		if time.Now().After(end) {
			c.t.Fatalf("got %d frames, want %d: %q", len(got), n, got)
		}
		time.Sleep(time.Millisecond)
	}
	return got
}

// expect waits for as many frames as wanted and compares them.
func (c *memClient) expect(want ...string) {
	c.t.Helper()
	if got := c.await(len(want)); !slices.Equal(got, want) {
		c.t.Fatalf("got\n\t%q\nwant\n\t%q", got, want)
	}
}

// quiet is an instance that takes everything and does nothing.
type quiet struct{}

func (quiet) HandleIn(context.Context, string, Payload) (Reply, error) { return Reply{}, nil }
func (quiet) HandleOut(context.Context, string, Payload) error         { return nil }
func (quiet) HandleInfo(context.Context, any) error                    { return nil }
func (quiet) Intercepts() []string                                     { return nil }
func (quiet) Terminate(error)                                          {}

// handlerFunc is a ChannelHandler.
type handlerFunc func(ctx context.Context, ch *Channel, p Payload) (Instance, Reply, error)

func (f handlerFunc) Join(ctx context.Context, ch *Channel, p Payload) (Instance, Reply, error) {
	return f(ctx, ch, p)
}

func joinQuiet(context.Context, *Channel, Payload) (Instance, Reply, error) {
	return quiet{}, Reply{}, nil
}
