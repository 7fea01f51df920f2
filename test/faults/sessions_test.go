package faults

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// TestAbandonedSessions (F17): sessions that nobody polls any more end between 1.5 and
// 3 windows after their last poll, as package longpoll says, and nothing of them is
// left. One that was never polled ends after 1.5 windows.
func TestAbandonedSessions(t *testing.T) {
	window := waittest.Sized(time.Second, 10*time.Second)
	for _, kind := range []struct {
		name   string
		polled bool
		most   time.Duration // of the life of the last one
	}{
		{"never polled", false, window*3/2 + time.Second},
		{"joined and polled", true, window*3 + time.Second},
	} {
		t.Run(kind.name, func(t *testing.T) {
			s := start(t, &bennu.EndpointOptions{Limits: bennu.NodeLimits{Connections: bennu.Unlimited}}, func(e *bennu.Endpoint) {
				e.Socket("/socket", echoes(), &bennu.SocketOptions{
					Transports: []transport.Transport{
						websocket.New(nil),
						longpoll.New(&longpoll.Options{
							Window: window, MaxSessionsPerAddress: bennu.Unlimited,
						}),
					},
				})
			})
			heapBefore, goroutines := heaptest.Live(), runtime.NumGoroutine()
			n := waittest.Sized(500, 10_000)
			began, last := abandon(t, s, n, kind.polled)
			most := s.Stats().Transports["longpoll"].Open
			eventually(t, "all sessions are gone", func() bool { return s.left() == "" })
			life := time.Since(last)
			t.Logf("%d sessions, %d of them at once, made in %v", n, most, last.Sub(began).Round(time.Millisecond))
			waittest.AtMost(t, "from the last request to the end of the last session", life, kind.most)
			// No session may end earlier, however fast the machine is.
			if life < window*3/2 {
				t.Errorf("the last session ended %v after its last request, want 1.5 windows of %v or more", life, window)
			}
			stats := s.Stats().Transports["longpoll"]
			if stats.Opened < uint64(n) || stats.IdleTimeouts != stats.Opened {
				t.Errorf("%d sessions counted as made and %d as inactive, want %d of each, or more", stats.Opened, stats.IdleTimeouts, n)
			}
			if now := heaptest.Live(); now > heapBefore+16<<20 {
				t.Errorf("heap of %d MiB after, %d before", now>>20, heapBefore>>20)
			}
			eventually(t, "goroutines are as before", func() bool { return runtime.NumGoroutine() <= goroutines })
		})
	}
}

// abandon makes n sessions and leaves them. It returns when it began and when the last
// request that keeps a session alive was sent. On a busy machine a session may end before
// it is joined; another takes its place.
func abandon(t *testing.T, s *server, n int, polled bool) (began, last time.Time) {
	t.Helper()
	began = time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	const workers = 8
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				for joined := false; !joined; {
					sent := time.Now()
					c, err := openSession(s.addr, "/socket/longpoll?vsn=2.0.0")
					if err != nil {
						t.Errorf("session %d: %v", i, err)
						return
					}
					joined = !polled
					if polled {
						sent = time.Now()
						err = c.join(fmt.Sprint("room:", i%100))
						joined = err == nil
					}
					c.close()
					mu.Lock()
					if sent.After(last) {
						last = sent
					}
					mu.Unlock()
					if err != nil && !errors.Is(err, errGone) {
						t.Errorf("session %d: %v", i, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	return began, last
}
