package bennu_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
)

// listener is a listener on the loopback.
func listener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// unserved is an endpoint that nobody serves yet, and its log.
func unserved(t *testing.T) (*bennu.Endpoint, *logbook) {
	t.Helper()
	book := newLogbook()
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(book)}) // with the default DrainTime: nothing may wait for it
	e.Socket("/socket", one("room:*", rooms()), nil)
	return e, book
}

// isDown wants an endpoint of which nothing is left.
func isDown(t *testing.T, e *bennu.Endpoint) {
	t.Helper()
	if s := e.Stats(); s.Sockets != 0 || s.Callbacks != 0 || s.Topics != 0 || s.Transports["websocket"].Open != 0 {
		t.Errorf("left: %+v", s)
	}
}

// TestServeAfterShutdown wants a typed error, and the listener closed.
func TestServeAfterShutdown(t *testing.T) {
	e, _ := unserved(t)
	for range 2 {
		if err := e.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ln := listener(t)
	if err := e.Serve(t.Context(), ln); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener: %v", err)
	}
	isDown(t, e)
}

// TestServeEnds ends one of two calls of Serve, in each way there is, and wants both to return at
// once: far earlier than the drain limit of 35 s.
func TestServeEnds(t *testing.T) {
	for name, end := range map[string]func(e *bennu.Endpoint, cancel func()) error{
		"context":  func(_ *bennu.Endpoint, cancel func()) error { cancel(); return nil },
		"Shutdown": func(e *bennu.Endpoint, _ func()) error { return e.Shutdown(context.Background()) },
	} {
		for _, same := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				e, _ := unserved(t)
				first := listener(t)
				second := first
				if !same {
					second = listener(t)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				results := make(chan error, 2)
				go func() { results <- e.Serve(ctx, first) }()
				go func() { results <- e.Serve(t.Context(), second) }()
				for _, ln := range []net.Listener{first, second} {
					wstest.Dial(t, "ws://"+ln.Addr().String()+"/socket/websocket?vsn=2.0.0").Join("room:1")
				}
				eventually(t, "no callback is counted", func() bool { return e.Stats().Callbacks == 0 })
				if err := end(e, cancel); err != nil {
					t.Error(err)
				}
				for range 2 {
					err := waittest.Next(t, "Serve returns", results)
					if same && errors.Is(err, http.ErrServerClosed) {
						continue // the other one has served both clients before this one began
					}
					if err != nil {
						t.Errorf("Serve: %v", err)
					}
				}
				isDown(t, e)
			})
		}
	}
}

// TestServeOdd is Serve with what it can do nothing with.
func TestServeOdd(t *testing.T) {
	e, _ := unserved(t)
	if err := e.Serve(t.Context(), nil); err == nil {
		t.Error("Serve without a listener returns nil")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Serve(over, listener(t)); err != nil {
		t.Errorf("with a context that has ended: %v", err)
	}
	isDown(t, e)
	e, _ = unserved(t)
	ln := listener(t)
	_ = ln.Close()
	if err := e.Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("with a closed listener: %v", err)
	}
	isDown(t, e)
}

// TestOnShutdownPanics calls every function, whatever another does.
func TestOnShutdownPanics(t *testing.T) {
	e, _ := unserved(t)
	called := false
	e.OnShutdown(func(context.Context) error { called = true; return nil })
	e.OnShutdown(func(context.Context) error { panic("closing") })
	if err := e.Shutdown(t.Context()); err == nil || !strings.Contains(err.Error(), "closing") || !called {
		t.Errorf("Shutdown: %v, the other was called: %v", err, called)
	}
}

// TestOnShutdownLate registers functions while the others are called, and after that: each is
// called once.
func TestOnShutdownLate(t *testing.T) {
	e, log := unserved(t)
	during, after := 0, 0
	e.OnShutdown(func(context.Context) error {
		e.OnShutdown(func(context.Context) error { during++; return nil })
		return nil
	})
	if err := e.Shutdown(t.Context()); err != nil || during != 1 {
		t.Errorf("Shutdown: %v; the function that came meanwhile was called %d times", err, during)
	}
	e.OnShutdown(func(ctx context.Context) error { after++; return ctx.Err() })
	e.OnShutdown(func(context.Context) error { return errors.New("not closed") })
	e.OnShutdown(func(context.Context) error { panic("too late") })
	if err := e.Shutdown(t.Context()); err != nil || during != 1 || after != 1 {
		t.Errorf("a second Shutdown: %v; called %d and %d times", err, during, after)
	}
	lines := strings.Join(log.about("a function of OnShutdown failed after Shutdown"), "\n")
	if !strings.Contains(lines, "error=not closed") || !strings.Contains(lines, "too late") {
		t.Errorf("logged: %s", lines)
	}
}

// address is a listener that says it listens elsewhere.
type address struct {
	net.Listener
	addr net.Addr
}

func (a address) Addr() net.Addr { return a.addr }

// TestHostWarning wants a line at start where the default origin policy can be deceived.
func TestHostWarning(t *testing.T) {
	own, err := transport.Origins("https://chat.example")
	if err != nil {
		t.Fatal(err)
	}
	everywhere := &net.TCPAddr{IP: net.IPv4zero, Port: 4000}
	for _, tc := range []struct {
		name    string
		options bennu.EndpointOptions
		mount   *bennu.SocketOptions
		addr    net.Addr
		want    int
	}{
		{"open", bennu.EndpointOptions{}, nil, everywhere, 1},
		{"with Host", bennu.EndpointOptions{Host: "chat.example"}, nil, everywhere, 0},
		{"with an origin", bennu.EndpointOptions{}, &bennu.SocketOptions{Checks: transport.Checks{Origin: own}}, everywhere, 0},
		{"on the loopback", bennu.EndpointOptions{}, nil, &net.TCPAddr{IP: net.IPv6loopback}, 0},
		{"on a Unix socket", bennu.EndpointOptions{}, nil, &net.UnixAddr{Name: "/run/x", Net: "unix"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			book := newLogbook()
			tc.options.Logger = slog.New(book)
			e := bennu.NewEndpoint(&tc.options)
			e.Socket("/socket", one("room:*", rooms()), tc.mount)
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if err := e.Serve(over, address{listener(t), tc.addr}); err != nil {
				t.Error(err)
			}
			if lines := book.about("the default origin policy trusts the Host header of requests"); len(lines) != tc.want {
				t.Errorf("%q", lines)
			}
		})
	}
}
