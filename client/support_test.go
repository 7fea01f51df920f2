package client_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/internal/waittest"
)

const patience = waittest.Patience

// mode is a way to talk to a server.
type mode struct {
	name      string
	transport string
	version   string
}

var (
	wsV2 = mode{"websocket v2", "websocket", "2.0.0"}
	lpV2 = mode{"longpoll v2", "longpoll", "2.0.0"}
	wsV1 = mode{"websocket v1", "websocket", "1.0.0"}
	lpV1 = mode{"longpoll v1", "longpoll", "1.0.0"}

	allModes = []mode{wsV2, lpV2, wsV1, lpV1}
)

// run runs a test in each mode, against the fixture application.
func run(t *testing.T, modes []mode, f func(t *testing.T, m mode, url string)) {
	url := startFixture(t)
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { f(t, m, url) })
	}
}

// startFixture serves the fixture application until the end of the test, and returns
// the URL of its mount /socket.
func startFixture(t *testing.T) string {
	t.Helper()
	return "http://" + servetest.Serve(t, app.NewPatient(slog.New(slog.DiscardHandler)).Serve) + "/socket"
}

// httpClient makes an HTTP client for one test, and closes its connections at the end.
func httpClient(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// options completes options for a mode.
func (m mode) options(t testing.TB, opts *client.Options) *client.Options {
	if opts == nil {
		opts = &client.Options{}
	}
	opts.Transport, opts.Version = m.transport, m.version
	if opts.HTTPClient == nil {
		opts.HTTPClient = httpClient(t)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Timeout == 0 {
		opts.Timeout = patience
	}
	return opts
}

// dial connects, and closes the socket at the end of the test.
func (m mode) dial(t *testing.T, url string, opts *client.Options) *client.Socket {
	t.Helper()
	s, err := client.Dial(t.Context(), url, m.options(t, opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSocket(t, s) })
	return s
}

// connect makes a socket that connects in the background.
func (m mode) connect(t *testing.T, url string, opts *client.Options) *client.Socket {
	t.Helper()
	s, err := client.New(url, m.options(t, opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSocket(t, s) })
	s.Connect()
	return s
}

func closeSocket(t testing.TB, s *client.Socket) {
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// join joins, which must succeed.
func join(t *testing.T, s *client.Socket, topic string, params any) *client.Channel {
	t.Helper()
	ch := s.Channel(topic, params)
	if _, err := ch.Join(t.Context()); err != nil {
		t.Fatalf("join of %s: %v", topic, err)
	}
	return ch
}

// next returns the next value. The test fails if none comes.
func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(4 * patience): // fake time passes in some tests
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

var eventually = waittest.Until

// object is a JSON object.
type object = map[string]any

// states records the changes of the states of channels.
type states struct {
	mu  sync.Mutex
	all []string
	ch  chan string
}

func newStates() *states { return &states{ch: make(chan string, 1000)} }

func (s *states) trace(ch *client.Channel, state client.State, err error) {
	text := fmt.Sprintf("%s %v", ch.Topic(), state)
	s.mu.Lock()
	s.all = append(s.all, text)
	s.mu.Unlock()
	s.ch <- text
}

// await waits for a change.
func (s *states) await(t *testing.T, want string) {
	t.Helper()
	for {
		if next(t, want, s.ch) == want {
			return
		}
	}
}
