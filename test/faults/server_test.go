package faults

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// server is an endpoint that listens, with the limits of Endpoint.Serve but for the time of
// a header.
type server struct {
	*bennu.Endpoint
	addr string
	log  *waittest.Buffer
	http atomic.Int64 // HTTP connections that are open, WebSockets not counted

	shares bool // its PubSub has topics of others
}

// start is startLimited with time for a header on a machine that stands still for a while.
func start(t testing.TB, options *bennu.EndpointOptions, mount func(e *bennu.Endpoint)) *server {
	t.Helper()
	return startLimited(t, options, wstest.Patience, mount)
}

// startLimited serves an endpoint until the end of the test, when nothing of it may be left
// and its log must tell of no crash. A header may take so long, 0 for what it may by default.
func startLimited(t testing.TB, options *bennu.EndpointOptions, header time.Duration, mount func(e *bennu.Endpoint)) *server {
	t.Helper()
	o := bennu.EndpointOptions{}
	if options != nil {
		o = *options
	}
	s := &server{log: &waittest.Buffer{Most: 4 << 20}, shares: o.PubSub != nil}
	o.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.DrainTime = bennu.Unlimited
	s.Endpoint = bennu.NewEndpoint(&o)
	mount(s.Endpoint)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	srv := s.Server()
	srv.ReadHeaderTimeout = cmp.Or(header, srv.ReadHeaderTimeout)
	srv.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.http.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.http.Add(-1)
		}
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), srv.Close()); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
		<-done
		eventually(t, "nothing of the server is left", func() bool { return s.left() == "" })
		for _, crash := range []string{"panic", "fatal error", "DATA RACE", "crashed"} {
			if strings.Contains(s.log.String(), crash) {
				t.Errorf("%q in the server's log", crash)
			}
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	return s
}

// left says what the server still has of its clients, "" for nothing.
func (s *server) left() string {
	stats := s.Stats()
	if s.shares {
		stats.Topics = 0
	}
	var b strings.Builder
	for _, e := range []struct {
		what string
		n    int
	}{
		{"sockets", stats.Sockets}, {"topics", stats.Topics}, {"callbacks", stats.Callbacks},
		{"WebSockets", int(stats.Transports["websocket"].Open)}, {"long-poll sessions", int(stats.Transports["longpoll"].Open)},
		{"HTTP connections", int(s.http.Load())},
	} {
		if e.n != 0 {
			b.WriteString(" " + e.what)
		}
	}
	return b.String()
}

// room is a channel that echoes.
type room struct{ *bennu.Channel }

func joinRoom(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
	return &room{ch}, bennu.Empty{}, nil
}

// echoes is a handler with an echo on every topic, whose connections are named by the
// parameter "id".
func echoes() *bennu.SocketHandler {
	d := bennu.Define(joinRoom)
	bennu.On(d, "echo", func(_ *room, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	h := &bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
			name, _ := info.Params.String("id")
			s.Assign("id", name)
			return nil
		},
		ID: func(s *bennu.Socket) string { return s.Assigned("id").(string) },
	}
	h.Channel("room:*", d)
	return h
}

// watchHeap looks at what lived on the heap at each garbage collection until stop, which
// returns the most.
func watchHeap() (stop func() int) {
	peak := heaptest.Live()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			metrics.Read(live)
			peak = max(peak, int(live[0].Value.Uint64()))
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	return func() int {
		close(end)
		<-done
		return peak
	}
}
