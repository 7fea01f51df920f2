package bennu_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

// shut runs Shutdown with all the time it needs.
func (s *server) shut(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestShutdownDrains closes every connection with 1012, joined or not, and tells
// every channel why.
func TestShutdownDrains(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", g.channel()))
	var clients []*wstest.Client
	for i := range 20 {
		c := wstest.Dial(t, s.url)
		c.Fence()
		if i%2 == 0 {
			c.Join("a")
		}
		clients = append(clients, c)
	}
	s.shut(t)
	for _, c := range clients {
		c.ExpectClose(1012)
	}
	for range 10 {
		if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrDraining {
			t.Errorf("Terminate was told %v", err)
		}
	}
	if n := s.Stats().Transports["websocket"].ServerClosed; n != 20 {
		t.Errorf("%d connections counted as closed by the server", n)
	}
	s.shut(t) // again is nothing
}

// TestShutdownSpreads closes a few connections at a time.
func TestShutdownSpreads(t *testing.T) { engines(t, testShutdownSpreads) }

func testShutdownSpreads(t *testing.T, options *bennu.EndpointOptions) {
	options.DrainTime = 100 * time.Millisecond
	s := serve(t, one("*", rooms()), nil, options)
	var clients []*wstest.Client
	for range 100 {
		c := wstest.Dial(t, s.url)
		c.Fence() // the server knows of it
		clients = append(clients, c)
	}
	s.shut(t)
	for _, c := range clients {
		c.ExpectClose(1012)
	}
	if lines := s.log.about("draining connections"); len(lines) != 1 || !strings.Contains(lines[0], "connections=100 over=100ms") {
		t.Errorf("logged %q", lines)
	}
	if lines := s.log.about("drained"); len(lines) != 1 || !strings.Contains(lines[0], "closed=100 cut=0 still_running=0 took=") {
		t.Errorf("logged %q", lines)
	}
}

// TestShutdownAnswersFirst lets a handler finish: its reply comes before the close,
// and so do those of messages behind it. Meanwhile nobody may connect.
func TestShutdownAnswersFirst(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", g.channel()))
	c := wstest.Dial(t, s.url)
	joinRef := c.Join("a")
	hang, hangRef := c.Frame("a", "hang", "{}")
	echo, echoRef := c.Frame("a", "echo", "{}")
	c.Send(hang, echo)
	waittest.Next(t, "the handler", g.entered)
	c.Fence() // so the echo is in the mailbox

	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		done <- s.Shutdown(ctx)
	}()
	eventually(t, "connects are refused", func() bool {
		refused, answer := wstest.Open(t, s.url)
		if refused != nil {
			refused.Abort()
			return false
		}
		if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
			t.Fatalf("refused with %s, %v", answer.Status, answer.Header)
		}
		return true
	})
	eventually(t, "the drain has begun", func() bool { return len(s.log.about("draining connections")) > 0 })
	g.open <- struct{}{}
	c.Expect(wstest.V2(joinRef, "null", "a", "too late", "{}"), wstest.OK(joinRef, hangRef, "a"), wstest.OK(joinRef, echoRef, "a"))
	c.ExpectClose(1012)
	if err := waittest.Next(t, "the end of Shutdown", done); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestShutdownAnswersAllReceived shuts down under load: what was handled was
// answered.
func TestShutdownAnswersAllReceived(t *testing.T) {
	var handled atomic.Int64
	d := rooms()
	bennu.On(d, "count", func(*room, context.Context, bennu.Empty) (bennu.Empty, error) {
		handled.Add(1)
		return bennu.Empty{}, nil
	})
	s := serve(t, one("*", d), nil, nil)
	var clients []*wstest.Client
	for range 30 {
		c := wstest.Dial(t, s.url)
		c.Join("a")
		clients = append(clients, c)
	}
	for _, c := range clients {
		var frames []wstest.Frame
		for range 300 {
			f, _ := c.Frame("a", "count", "{}")
			frames = append(frames, f)
		}
		c.Send(frames...)
	}
	s.shut(t)
	answered := 0
	for i, c := range clients {
		code, messages := c.DrainToClose()
		if code != 1012 {
			t.Errorf("connection %d ended with %d", i, code)
		}
		answered += len(messages)
	}
	if n := int(handled.Load()); answered != n {
		t.Errorf("%d messages were handled and %d answered", n, answered)
	}
	t.Logf("%d of 9000 handled", answered)
}

// TestShutdownNamesStuck gives up on a callback that does not return, and says
// which. A later call waits on.
func TestShutdownNamesStuck(t *testing.T) {
	for _, event := range []string{"hang", "terminate", "join"} {
		t.Run(event, func(t *testing.T) {
			release := make(chan struct{})
			entered := make(chan struct{}, 1)
			hang := func() { entered <- struct{}{}; <-release }
			d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*hanging, bennu.Empty, error) {
				if event == "join" {
					hang()
				}
				return &hanging{room{ch}, func() {
					if event == "terminate" {
						hang()
					}
				}}, bennu.Empty{}, nil
			})
			bennu.On(d, "hang", func(*hanging, context.Context, bennu.Empty) (bennu.NoReply, error) {
				hang()
				return bennu.NoReply{}, nil
			})
			s := serve(t, one("*", d), nil, nil)
			c := wstest.Dial(t, s.url)
			switch event {
			case "join":
				c.Push("stuck:1", "phx_join", "{}")
				waittest.Next(t, "the callback", entered)
			case "hang":
				c.Join("stuck:1")
				c.Push("stuck:1", "hang", "{}")
				waittest.Next(t, "the callback", entered)
			default:
				c.Join("stuck:1")
			}
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			err := s.Shutdown(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"stuck:1"`) {
				t.Errorf("Shutdown: %v", err)
			}
			if lines := s.log.about("drained"); len(lines) != 1 || !strings.Contains(lines[0], " still_running=1 ") ||
				event == "hang" && !strings.Contains(lines[0], "closed=0 cut=1") {
				t.Errorf("logged %q", lines)
			}
			close(release)
			s.shut(t)
		})
	}
}

type hanging struct {
	room
	end func()
}

func (h *hanging) Terminate(error) { h.end() }

// TestShutdownEndsSubscriptions shuts down one of two endpoints that share a
// PubSub: nothing of it runs any more, whatever the other broadcasts.
func TestShutdownEndsSubscriptions(t *testing.T) {
	shared := pubsub.NewLocal()
	options := &bennu.EndpointOptions{PubSub: shared}
	a, b := serve(t, one("*", rooms()), nil, options), serve(t, one("*", rooms()), nil, options)
	heard := make(chan bennu.Broadcast, 10)
	sub := a.Subscribe("news", func(ctx context.Context, m bennu.Broadcast) { heard <- m })
	if err := b.Broadcast("news", "one", nil); err != nil {
		t.Error(err)
	}
	if m := waittest.Next(t, "a broadcast of the other endpoint", heard); m.Event != "one" {
		t.Errorf("heard %+v", m)
	}
	a.shut(t)
	if err := b.Broadcast("news", "two", nil); err != nil {
		t.Error(err)
	}
	a.shut(t)
	if n := len(heard); n != 0 {
		t.Errorf("heard %d broadcasts after Shutdown", n)
	}
	sub.Cancel()
	sub.Cancel()
	if n := shared.Topics(); n != 0 {
		t.Errorf("%d topics left", n)
	}
}

// TestServe runs a server from its start to an orderly end.
func TestServe(t *testing.T) {
	e := bennu.NewEndpoint(&bennu.EndpointOptions{DrainTime: bennu.Unlimited, Logger: slog.New(slog.DiscardHandler)})
	e.Socket("/socket", one("*", rooms()), nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- e.Serve(ctx, ln) }()
	url := "ws://" + ln.Addr().String() + "/socket/websocket?vsn=2.0.0"
	c := wstest.Dial(t, url)
	c.Join("a")
	c.Want("a", "echo", `{"a":1}`, "ok", `{"a":1}`)
	if answer, err := http.Get("http://" + ln.Addr().String() + "/other"); err != nil {
		t.Error(err)
	} else {
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("another path: %s", answer.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	c.ExpectClose(1012)
	if err := waittest.Next(t, "the end of Serve", served); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if nc, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		nc.Close()
		t.Error("the listener is still open")
	}

	// A listener that fails ends Serve with that error.
	e = bennu.NewEndpoint(&bennu.EndpointOptions{DrainTime: bennu.Unlimited, Logger: slog.New(slog.DiscardHandler)})
	if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := e.Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed listener: %v", err)
	}
}

// TestWatchdog has a handler run on after its channel has ended.
func TestWatchdog(t *testing.T) {
	g := newGates()
	users := one("*", g.channel())
	users.Limits.HandlerGrace = time.Millisecond
	s := g.serve(t, users)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	c.Push("a", "hang", "{}")
	waittest.Next(t, "the handler", g.entered)
	ref := c.Push("a", "phx_join", "{}")
	c.ReplyTo(ref)
	const message = "callback runs on after its channel ended"
	eventually(t, "the watchdog speaks", func() bool { return len(s.log.about(message)) > 0 })
	line := s.log.about(message)[0]
	for _, part := range []string{"topic=a", "reason=" + bennu.ErrDuplicateJoin.Error(), "leave_test.go:", "HandleIn"} {
		if !strings.Contains(line, part) {
			t.Errorf("the line lacks %q: %s", part, line)
		}
	}
	if n := s.Stats().Stuck; n != 1 {
		t.Errorf("%d callbacks counted as stuck", n)
	}
}
