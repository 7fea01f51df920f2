package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
)

func soon(int) time.Duration { return time.Millisecond }

// Connections that are cut at any byte: the channel joins again each time, no event comes twice
// under one join, and nothing is left behind. BENNU_FULL=1 makes a thousand cuts;
// BENNU_SEED repeats a run.
func TestCuts(t *testing.T) {
	cuts := waittest.Sized(100, 1000)
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("BENNU_SEED"), 10, 64); err == nil {
		seed = s
	}
	run(t, []mode{wsV2, lpV2, wsV1}, func(t *testing.T, m mode, url string) {
		t.Logf("BENNU_SEED=%d", seed)
		before := openFiles()
		t.Run("", func(t *testing.T) { cutAndCount(t, m, url, seed, cuts) })
		// The server closes its ends a little later.
		eventually(t, fmt.Sprintf("no more than %d open files", before), func() bool { return openFiles() <= before })
	})
}

// openFiles returns the number of open files of this process, on systems that tell it.
func openFiles() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

func cutAndCount(t *testing.T, m mode, url string, seed uint64, cuts int) {
	addr := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/socket")
	proxy := newCutter(t, addr, seed, 4000)
	s := m.connect(t, "http://"+proxy.ln.Addr().String()+"/socket", &client.Options{ReconnectAfter: soon, RejoinAfter: soon})
	ch := s.Channel("room:cuts", nil)
	var (
		mu   sync.Mutex
		seen = map[string]bool{}
		last = map[string]int{}
	)
	ch.On("bc", func(msg client.Message) {
		var v struct {
			N    int
			Join string
		}
		if err := msg.Payload.Decode(&v); err != nil {
			t.Errorf("event %s: %v", msg.Payload.Data, err)
		}
		mu.Lock()
		defer mu.Unlock()
		key := fmt.Sprint(msg.JoinRef, " ", v.N)
		if seen[key] {
			t.Errorf("%d came twice under join %s", v.N, msg.JoinRef)
		}
		seen[key] = true
		if v.Join != msg.JoinRef {
			return // the server was late with a message to an earlier session
		}
		if v.N < last[msg.JoinRef] {
			t.Errorf("%d came after %d under join %s", v.N, last[msg.JoinRef], msg.JoinRef)
		}
		last[msg.JoinRef] = v.N
	})
	ch.OnClose(func(err error) {
		if !errors.Is(err, client.ErrClosed) {
			t.Errorf("the channel ended with %v", err)
		}
	})
	_, _ = ch.Join(t.Context())
	answered := 0
	end := time.Now().Add(4 * patience)
	for n := 1; proxy.count() < cuts; n++ {
		if time.Now().After(end) {
			t.Fatalf("%d cuts in time, want %d", proxy.count(), cuts)
		}
		_, err := ch.Push(t.Context(), "bc", object{"n": n, "join": client.JoinRef(ch)})
		switch {
		case err == nil:
			answered++
		case errors.Is(err, client.ErrInterrupted):
		default:
			t.Fatalf("push %d: %v", n, err)
		}
	}
	proxy.stop()
	eventually(t, "an answer when nothing is cut any more", func() bool {
		_, err := ch.Push(t.Context(), "echo", nil)
		return err == nil
	})
	if answered == 0 || ch.State() != client.StateJoined {
		t.Errorf("%d pushes were answered, state %v", answered, ch.State())
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%d cuts, %d pushes answered, %d joins with events", proxy.count(), answered, len(last))
}

// A server that ends and comes back at the same address.
func TestServerRestarts(t *testing.T) {
	for _, m := range allModes {
		t.Run(m.name, func(t *testing.T) {
			addr := testport.Addr(t)
			stop := serveAt(t, addr)
			st := newStates()
			s := m.dial(t, "http://"+addr+"/socket", &client.Options{
				ReconnectAfter: soon, RejoinAfter: soon, Trace: &client.Trace{State: st.trace},
			})
			ch := join(t, s, "room:restart", nil)
			st.await(t, "room:restart joined")
			for range 3 {
				stop()
				st.await(t, "room:restart errored")
				if err := ch.Send("bc", object{"kept": true}); err != nil {
					t.Fatal(err)
				}
				events := make(chan object, 10)
				off := client.On(ch, "bc", func(o object) { events <- o })
				stop = serveAt(t, addr)
				st.await(t, "room:restart joined")
				if got := next(t, "what was pushed meanwhile", events); got["kept"] != true {
					t.Errorf("event %v", got)
				}
				off()
			}
			closeSocket(t, s)
			stop()
		})
	}
}

// serveAt serves the fixture at an address until stop is called.
func serveAt(t *testing.T, addr string) (stop func()) {
	t.Helper()
	var ln net.Listener
	eventually(t, "listening on "+addr, func() (ok bool) {
		var err error
		ln, err = net.Listen("tcp", addr)
		return err == nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	endpoint := app.NewPatient(slog.New(slog.DiscardHandler))
	go func() { done <- endpoint.Serve(ctx, ln) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
			t.Errorf("the fixture ended with: %v", err)
		}
	})
}
