package proxies

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// full asks for the test of the proxies' own time limits, which takes 75 s.
const full = "BENNU_FULL"

// Heartbeats carry a connection past the time limit of the proxy, and nothing else
// does. The limit here is 15 s in place of a minute, and the heartbeats come often
// enough for a machine that stands still for a while.
func TestIdle(t *testing.T) {
	forEach(t, func(t *testing.T, k *kind) {
		if k.noLimits {
			t.Skip("this proxy has no time limits by itself")
		}
		s := startServer(t)
		p := startProxy(t, k, values{Idle: "15s", Wait: "15s"}, s.backend)
		t.Run("WebSocket", func(t *testing.T) {
			t.Parallel()
			idle(t, p, 18*time.Second, time.Second)
		})
		// Where the limit for an answer is shorter than the window, no poll
		// without messages gets through.
		t.Run("answer", func(t *testing.T) {
			t.Parallel()
			answer, err := newClient(t, p).Get("http://" + p.addr + "/socket/forever")
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("status %d, want 504", answer.StatusCode)
			}
		})
	})
}

// The same with the limits that the proxies have when nobody sets any, 60 s and
// 50 s, and the heartbeats of stock clients.
func TestIdleStock(t *testing.T) {
	if os.Getenv(full) == "" {
		t.Skipf("NOT RUN: takes 75 s. %s=1 runs it; TestIdle is the same in small.", full)
	}
	forEach(t, func(t *testing.T, k *kind) {
		if k.noLimits {
			t.Skip("this proxy has no time limits by itself")
		}
		s := startServer(t)
		idle(t, startProxy(t, k, k.stock, s.backend), 75*time.Second, 30*time.Second)
	})
}

// idle opens two connections, and lets one be silent and one send heartbeats.
func idle(t *testing.T, p *proxy, whole, beat time.Duration) {
	const path = "/socket/behind/websocket?vsn=2.0.0"
	silent := wstest.Dial(t, p.ws(path)) // says nothing: a busy machine may be late with a word, and it be cut before
	beating := wstest.Dial(t, p.ws(path))
	beating.Fence()
	// Here the time that passes is the very thing under test.
	end, beats := time.NewTimer(whole), time.NewTicker(beat)
	defer end.Stop()
	defer beats.Stop()
	for waiting := true; waiting; {
		select {
		case <-beats.C:
			beating.Fence()
		case <-end.C:
			waiting = false
		}
	}
	beating.Fence()
	// No close frame: to a stock client that is 1006, and it connects again.
	if code, before := silent.DrainToClose(); code != 0 || len(before) != 0 {
		t.Errorf("the silent connection got %v and close %d; want it cut by the proxy", before, code)
	}
}
