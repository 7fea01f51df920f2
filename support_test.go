package bennu_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// full says that tests with a size run at their full size.
var full = os.Getenv("BENNU_FULL") == "1"

// sized is the size of a test that has a small one for every day.
func sized(small, large int) int {
	if full {
		return large
	}
	return small
}

var eventually = waittest.Until

// both are the transports of most tests that need long polling.
var both = over(nil, nil)

// over are both with their options.
func over(ws *websocket.Options, polls *longpoll.Options) []transport.Transport {
	return []transport.Transport{websocket.New(ws), longpoll.New(polls)}
}

// logbook is a slog.Handler that keeps its lines.
type logbook struct {
	mu    sync.Mutex
	lines map[string][]string // by message
}

func newLogbook() *logbook { return &logbook{lines: map[string][]string{}} }

// logger returns a logger that writes to the logbook.
func (l *logbook) logger() *slog.Logger { return slog.New(l) }

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[r.Message] = append(l.lines[r.Message], b.String())
	return nil
}

func (l *logbook) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *logbook) WithGroup(string) slog.Handler      { return l }

// about is the lines of one message.
func (l *logbook) about(message string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines[message])
}

// all is every line.
func (l *logbook) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, lines := range l.lines {
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

// server is an endpoint that listens.
type server struct {
	*bennu.Endpoint
	url string // of a WebSocket mounted at /socket, version 2
	log *logbook
}

// serve mounts users at /socket until the end of the test, when nothing of the endpoint
// may be left running.
func serve(t testing.TB, users *bennu.SocketHandler, mount *bennu.SocketOptions, options *bennu.EndpointOptions) *server {
	t.Helper()
	o := bennu.EndpointOptions{}
	if options != nil {
		o = *options
	}
	book := newLogbook()
	o.Logger = slog.New(book)
	if o.DrainTime == 0 {
		o.DrainTime = bennu.Unlimited
	}
	e := bennu.NewEndpoint(&o)
	e.Socket("/socket", users, mount)
	h := httptest.NewUnstartedServer(e)
	h.Config = e.Server()
	h.Start()
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if s := e.Stats(); s.Sockets != 0 || s.Callbacks != 0 || s.Transports["websocket"].Open != 0 {
			t.Errorf("left after Shutdown: %+v", s)
		}
	})
	return &server{Endpoint: e, url: "ws" + strings.TrimPrefix(h.URL, "http") + "/socket/websocket?vsn=2.0.0", log: book}
}

// engines runs a test with each way of reading that WebSockets over TCP have.
func engines(t *testing.T, test func(*testing.T, *bennu.EndpointOptions)) {
	t.Run("epoll", func(t *testing.T) { test(t, &bennu.EndpointOptions{}) })
	t.Run("parked", func(t *testing.T) { test(t, &bennu.EndpointOptions{NoEpoll: true}) })
}

// one makes a SocketHandler with one pattern. Its connections may join as often as they
// like, as tests do.
func one(pattern string, h bennu.ChannelHandler) *bennu.SocketHandler {
	users := &bennu.SocketHandler{Limits: bennu.Limits{JoinBurst: bennu.Unlimited}}
	users.Channel(pattern, h)
	return users
}

// room is a channel's state for tests that need no other.
type room struct{ *bennu.Channel }

func joinRoom(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
	return &room{ch}, bennu.Empty{}, nil
}

func echo(_ *room, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil }

// rooms is a channel that echoes.
func rooms() *bennu.Definition[*room] {
	d := bennu.Define(joinRoom)
	bennu.On(d, "echo", echo)
	return d
}

// base is what must be the same after a test as it was before.
type base struct{ goroutines, files int }

func measure() base {
	b := base{goroutines: runtime.NumGoroutine()}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		b.files = len(entries)
	}
	return b
}

// settle measures when nothing of an earlier test is about to end any more.
func settle() base {
	b := measure()
	for same := 0; same < 20; same++ {
		time.Sleep(time.Millisecond)
		if now := measure(); now != b {
			b, same = now, 0
		}
	}
	return b
}

// isBack reports whether nothing is left since then. There may be less: what ended slowly
// may have been counted in the base.
func (b base) isBack(now base) bool { return now.goroutines <= b.goroutines && now.files <= b.files }

// backAt waits until goroutines and files are as before, and the endpoint's
// tables empty.
func (b base) backAt(t testing.TB, s *server) {
	t.Helper()
	var now base
	var stats bennu.Stats
	back := func() bool {
		now, stats = measure(), s.Stats()
		return b.isBack(now) && stats.Sockets == 0 && stats.Topics == 0 && stats.Callbacks == 0 &&
			stats.Transports["websocket"].Open == 0 && stats.Transports["longpoll"].Open == 0
	}
	for end := time.Now().Add(wstest.Patience); !back(); {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("not back at base: %+v, base %+v, stats %+v\n%s", now, b, stats, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
}
