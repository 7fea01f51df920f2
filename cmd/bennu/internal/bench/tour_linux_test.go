package bench

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/examples/hello"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// newSlowEndpoint makes the endpoint of the server with small queues.
func newSlowEndpoint() *bennu.Endpoint {
	rooms := bennu.Define(joinRoom)
	bennu.On(rooms, "echo", (*room).echo)
	bennu.On(rooms, "broadcast", (*room).broadcast)
	bennu.On(rooms, "collect", (*room).collect)
	var users bennu.SocketHandler
	users.Channel("bench:*", rooms)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: quietLog(), DrainTime: bennu.Unlimited})
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{MaxQueueBytes: 256 << 10, WriteTimeout: 10 * patience})}})
	return endpoint
}

func TestTour(t *testing.T) {
	url := serveEndpoint(t, new(serverOptions).endpoint(quietLog()))
	r, code := tryJSON(t, url, "--pid", strconv.Itoa(os.Getpid()), "--connections", "300", "--topics", "3", "--at-once", "50",
		"--heartbeat", "200ms", "--echo-rate", "500", "--echo-time", "500ms", "--load-connections", "50", "--load-time", "200ms",
		"--broadcasts", "5", "--ahead-broadcasts", "50", "--subscribers", "200",
		"--slow-subscribers", "20", "--slow-readers", "2", "--slow-broadcasts", "50")
	if code != 0 || !r.Complete || r.Error != "" || r.Interrupted || r.Faults.any() {
		t.Fatalf("exit code %d, %+v", code, r)
	}
	c := r.Connect
	if c.Wanted != 300 || c.Connected != 300 || c.Joins != 900 || c.Latency.Count != 300 || c.Server <= 0 || c.ServerPerOp <= 0 || c.Bench <= 0 {
		t.Errorf("connect %+v", c)
	}
	if e := r.Echo; e.Sent != 250 || e.Answered != 250 || e.Latency.Count != 250 || e.Lateness.Count != 250 || e.Rate != 500 || e.ServerPerOp <= 0 {
		t.Errorf("echo %+v", e)
	}
	if e := r.Load; e.Sent < 200 || e.Answered != e.Sent || e.Latency.Count != int64(e.Sent) || e.Senders != 50 || e.InProgress != 4 || e.PerSecond <= 0 {
		t.Errorf("load %+v", e)
	}
	if s := r.Subscribe; s.Connected != 200 || s.Joins != 200 {
		t.Errorf("subscribe %+v", s)
	}
	if b := r.Broadcast; b.Delivered != 1000 || b.Expected != 1000 || b.Ahead != 1 || b.Latency.Count != 1000 || b.Half.Count != 5 || b.Most.Count != 5 || b.Last.Count != 5 || b.ServerPerOp <= 0 {
		t.Errorf("broadcast %+v", b)
	}
	if b := r.Ahead; b.Delivered != 10_000 || b.Ahead != 20 || b.Last.Count != 50 {
		t.Errorf("ahead %+v", b)
	}
	if s := r.Slow; s.Delivered != 18*50 || s.Subscribers != 18 || s.Readers != 2 || s.Open != 2 || s.SlowGaps != 0 || len(s.Closed) != 0 || s.MemoryPeak < s.MemoryFrom || s.MemoryFrom == 0 {
		t.Errorf("slow %+v", s)
	}
	if c := r.Reconnect; c.Connected != 300 || c.Joins != 900 {
		t.Errorf("reconnect %+v", c)
	}
	if m := r.Memory; !m.Collected || m.ServerBefore == 0 || m.ServerIdle == 0 || m.ServerTraffic == 0 || m.BenchBefore == 0 || m.BenchIdle == 0 || m.BenchTraffic == 0 || m.BenchCPU == 0 {
		t.Errorf("memory %+v", m)
	}
	if r.Heartbeats == 0 {
		t.Error("no heartbeat was answered")
	}
}

// Clients that do not read are closed with 1013, and the others get all broadcasts.
func TestSlowReaders(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := serveOn(t, newSlowEndpoint(), narrow{ln})
	r, code := tryJSON(t, url, "--phases", "slow", "--connections", "5", "--slow-subscribers", "5", "--slow-readers", "2",
		"--slow-broadcasts", "500", "--slow-payload", "4000", "--slow-ahead", "4")
	if code != 0 || !r.Complete || r.Faults.any() {
		t.Fatalf("exit code %d, %+v", code, r)
	}
	if s := r.Slow; s.Delivered != 3*500 || s.Missing != 0 || s.Disordered != 0 || s.Closed["1013"] != 2 || s.Open != 0 || s.SlowGaps != 0 {
		t.Errorf("slow %+v", s)
	}
	if r.Echo != nil || r.Load != nil || r.Broadcast != nil || r.Ahead != nil || r.Reconnect != nil {
		t.Errorf("more than one phase: %+v", r)
	}
}

// A server that is full refuses connections, and the clients try again.
func TestRefusedTriesAreRepeated(t *testing.T) {
	endpoint := new(serverOptions).endpoint(quietLog())
	var mu sync.Mutex
	tries := 0
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		tries++
		refuse := tries > 1 && tries%3 == 0 // not the first
		mu.Unlock()
		if refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		endpoint.ServeHTTP(w, r)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: front}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	defer func() {
		server.Close()
		<-served
		if err := endpoint.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	r, code := tryJSON(t, "ws://"+ln.Addr().String()+"/socket", "--phases", "reconnect", "--connections", "30")
	if code != 0 || !r.Complete || r.Connect.Connected != 30 || r.Reconnect.Connected != 30 || r.Connect.Refused == 0 || r.Reconnect.Refused == 0 {
		t.Errorf("exit code %d, %+v", code, r)
	}
	if got, want := r.Faults.Refused["the answer is 503 Service Unavailable"], r.Connect.Refused+r.Reconnect.Refused; got != want {
		t.Errorf("%d tries refused in %v, want %d", got, r.Faults.Refused, want)
	}
}

// Any server can be measured that has an event with a reply and an event that is broadcast.
func TestOtherApplications(t *testing.T) {
	few := []string{"--connections", "30", "--echo-time", "50ms", "--load-time", "50ms", "--broadcasts", "5", "--ahead-broadcasts", "20", "--slow-broadcasts", "20"}
	check := func(t *testing.T, url string, args ...string) {
		r, code := tryJSON(t, append(append([]string{url}, few...), args...)...)
		if code != 0 || !r.Complete || r.Memory.Collected || r.Echo.Answered != 50 || r.Load.Answered < 120 || r.Broadcast.Delivered != 150 ||
			r.Ahead.Delivered != 600 || r.Slow.Delivered != 27*20 || r.Slow.Readers != 3 || r.Reconnect.Connected != 30 {
			t.Errorf("exit code %d, %+v\n%+v\n%+v", code, r, r.Slow, r.Faults)
		}
	}
	t.Run("fixture", func(t *testing.T) {
		url := serveEndpoint(t, app.New(quietLog()))
		check(t, url, "--topic", "room:{c}-{t}", "--broadcast-topic", "room:all", "--slow-topic", "room:slow",
			"--broadcast-event", "bc", "--broadcast-payload", `{"body":"{text}"}`)
	})
	t.Run("demo", func(t *testing.T) {
		here, err := presence.New[hello.Here](context.Background(), pubsub.NewLocal(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var users bennu.SocketHandler
		hello.Routes(&users, here)
		endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: quietLog(), DrainTime: bennu.Unlimited})
		endpoint.OnShutdown(func(context.Context) error { return here.Close() })
		endpoint.Socket("/socket", &users, nil)
		check(t, serveEndpoint(t, endpoint), "--app", "demo")
	})
}

func TestTable(t *testing.T) {
	url := serveEndpoint(t, new(serverOptions).endpoint(quietLog()))
	out, errOut, code := try(context.Background(), url, "--connections", "20", "--settle", "0s", "--pid", strconv.Itoa(os.Getpid()),
		"--echo-time", "50ms", "--load-time", "50ms", "--slow-broadcasts", "20")
	for _, want := range []string{
		"connect: all at once", "20 of 20, 20 topics joined", "echo: 1000 a second", "50 of 50, 0 errors, 0 lost", "load: 20 connections with 4 echoes",
		"broadcast: one at a time to 20 subscribers", "400 of 400 for 20 broadcasts, 0 missing, 0 out of order", "ahead: 20 queued ahead",
		"slow: 2 of 20 subscribers do not read", "reconnect: all dropped", "memory: resident", "garbage collected", "µs a delivery", "Complete: nothing was lost.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if code != 0 || strings.Contains(out, "%!") || strings.Contains(out, "\x1b") || !strings.Contains(errOut, "slow ...\n") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, errOut, out)
	}
}

// After a signal the results so far are printed.
func TestInterrupt(t *testing.T) {
	url := serveEndpoint(t, new(serverOptions).endpoint(quietLog()))
	ctx, cancel := context.WithCancel(context.Background())
	stderr := &watcher{for_: "echo ...", found: cancel}
	var stdout strings.Builder
	c := Command()
	c.SetArgs([]string{url, "--connections", "10", "--settle", "0s", "--echo-time", "1h"})
	c.SetOut(&stdout)
	c.SetErr(stderr)
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.ExecuteContext(ctx)
	if err == nil || !strings.Contains(stdout.String(), "INTERRUPTED") || !strings.Contains(stdout.String(), "10 of 10") ||
		!strings.Contains(stdout.String(), "latencies from the intended moment  INCOMPLETE") || strings.Contains(stdout.String(), "Complete:") ||
		!strings.Contains(stdout.String(), ", idle ") || strings.Contains(stdout.String(), "after traffic") {
		t.Errorf("%v after printing\n%s", err, stdout.String())
	}
}

// watcher calls found when something is printed.
type watcher struct {
	for_  string
	text  string
	found func()
}

func (w *watcher) Write(p []byte) (int, error) {
	if w.text += string(p); strings.Contains(w.text, w.for_) {
		w.found()
	}
	return len(p), nil
}

// Data that the socket does not accept at once is sent later, in order.
func TestRestIsSentLater(t *testing.T) {
	l, err := newLoop(newOptions(t, "--connections", "1"), &target{addr: netip.MustParseAddrPort("127.0.0.1:1")}, &Report{}, newProgress(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	l.conns[0], l.opened = conn{fd: int32(ends[0]), state: open}, 1
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, ends[0], l.interest(0)); err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	l.send(0, want)
	if len(l.conns[0].unsent) == 0 {
		t.Fatal("the socket took a megabyte at once")
	}
	l.send(0, []byte("end"))
	want = append(want, "end"...)

	var got []byte
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); len(got) < len(want) && time.Now().Before(deadline); {
		if n, err := unix.Read(ends[1], buf); err == nil {
			got = append(got, buf[:n]...)
		}
		if err := l.wait(l.now + time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) || l.conns[0].unsent != nil || l.conns[0].waits {
		t.Errorf("%d bytes of %d came, the connection is %+v", len(got), len(want), l.conns[0].waits)
	}
	// A server that never reads does not make the bench grow.
	for range 2 * maxUnsent / len(buf) {
		l.send(0, buf)
	}
	if l.conns[0].state != idle || l.report.Faults.Closed["the server does not read"] != 1 {
		t.Errorf("state %d, faults %+v", l.conns[0].state, l.report.Faults)
	}
}

// A connection of the bench must take much less memory than one of the server.
func TestConnectionIsSmall(t *testing.T) {
	if size := reflect.TypeFor[conn]().Size(); size > 256 {
		t.Errorf("a connection takes %d bytes", size)
	}
}
