package bennu_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
)

// brokenLog is a slog.Handler that does something else with each line.
type brokenLog struct {
	slog.Handler
	handle func(r slog.Record)
}

func (b brokenLog) Handle(_ context.Context, r slog.Record) error { b.handle(r); return nil }

// TestLogHandlerFails serves with a handler of the program's log that fails at every line.
// Strangers speak plain HTTP to a server with TLS, which net/http logs.
func TestLogHandlerFails(t *testing.T) {
	certificates := httptest.NewTLSServer(nil)
	defer certificates.Close()
	for name, fail := range map[string]func(){"panic": func() { panic("as asked") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			said := make(chan string, 1000)
			e := bennu.NewEndpoint(&bennu.EndpointOptions{DrainTime: bennu.Unlimited, Logger: slog.New(brokenLog{
				slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}),
				func(r slog.Record) { said <- r.Message; fail() },
			})})
			e.Socket("/socket", one("*", rooms()), &bennu.SocketOptions{Checks: transport.Checks{InsecureSkipOriginCheck: true}})
			ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates.TLS.Certificates})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			served := make(chan error, 1)
			go func() { served <- e.Serve(ctx, ln) }()
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			_, _ = fmt.Fprint(c, "GET / HTTP/1.1\r\n\r\n")
			for !strings.HasPrefix(waittest.Next(t, "the line of net/http", said), "http: ") {
			}
			cancel()
			if err := waittest.Next(t, "the end of Serve", served); err != nil {
				t.Error(err)
			}
			e.OnShutdown(func(context.Context) error { return context.Canceled })
		})
	}
}

// TestLogHandlerBlocks lets the first line block its request: others are served.
func TestLogHandlerBlocks(t *testing.T) {
	entered, open := make(chan struct{}), make(chan struct{})
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(brokenLog{slog.NewTextHandler(t.Output(), nil), func(r slog.Record) {
		if r.Message == "limits of this node" {
			close(entered)
			<-open
		}
	}})})
	e.Socket("/socket", one("*", rooms()), nil)
	s := httptest.NewServer(e)
	url := "ws" + strings.TrimPrefix(s.URL, "http") + "/socket/websocket?vsn=2.0.0"
	first := make(chan struct{})
	go func() {
		defer close(first)
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/socket/websocket", nil))
	}()
	defer func() {
		close(open)
		waittest.Next(t, "the first request", first)
		s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), wstest.Patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}()
	waittest.Next(t, "the first line", entered)
	wstest.Dial(t, url).Join("a")
}
