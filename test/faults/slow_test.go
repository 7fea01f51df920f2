package faults

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
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

// TestSlowHandshakes (F07): connections that say nothing, stop within their request or
// send a byte now and then are all cut when the time for a header is over, and
// header floods are refused, while those who want to connect can.
func TestSlowHandshakes(t *testing.T) {
	t.Parallel() // it waits most of its time
	// What must pass meanwhile makes sessions that nobody polls.
	s := startLimited(t, &bennu.EndpointOptions{Limits: bennu.NodeLimits{Connections: bennu.Unlimited}}, 0, func(e *bennu.Endpoint) {
		e.Socket("/socket", echoes(), &bennu.SocketOptions{
			Transports: []transport.Transport{
				websocket.New(nil),
				longpoll.New(&longpoll.Options{
					Window: time.Second, MaxSessionsPerAddress: bennu.Unlimited,
				}),
			},
		})
	})
	stop := bystanders(t, s)
	base := s.http.Load()
	slow := slowly(t, s, waittest.Sized(300, 5000), waittest.Sized(250*time.Millisecond, time.Second))
	eventually(t, "the slow connections are there", func() bool { return s.http.Load() >= base+int64(slow.n)*9/10 || slow.over() })

	legitimate := connectMeanwhile(t, s, slow.done)
	flood(t, s)
	<-slow.done
	legitimate()
	stop()

	var lives []time.Duration
	for life := range slow.lives {
		lives = append(lives, life)
	}
	if len(lives) != slow.n {
		t.Errorf("%d of %d slow connections were cut", len(lives), slow.n)
	}
	t.Logf("%d slow connections", len(lives))
	waittest.AtMost(t, "the longest of them lived", percentile(lives, 100), 6*time.Second)
	eventually(t, "no connection and no session is left", func() bool { return s.left() == "" })
}

// slowOnes are slow connections.
type slowOnes struct {
	n     int
	lives chan time.Duration // of those that the server has cut
	done  chan struct{}      // closed when none is left
}

func (s *slowOnes) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// slowStarts are how slow requests begin, the last being one that goes on.
var slowStarts = []string{
	"",
	"G",
	"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: local",
	"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\n",
	"POST /socket/longpoll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n",
	"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
	"GET /socket/websocket?vsn=2.0.0&a=",
	strings.TrimSuffix(head("GET", "/socket/websocket?vsn=2.0.0", upgradeLines...), "\r\n") + "X-Long: ",
}

// slowly opens connections, half of which send a byte at each interval.
func slowly(t *testing.T, s *server, n int, interval time.Duration) *slowOnes {
	o := &slowOnes{n: n, lives: make(chan time.Duration, n), done: make(chan struct{})}
	var all sync.WaitGroup
	dialing := make(chan struct{}, 100)
	for i := range n {
		all.Go(func() {
			dialing <- struct{}{}
			p, err := dial(s.addr)
			<-dialing
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer p.close()
			life, err := p.beSlow(slowStarts[i%len(slowStarts)], i%2 == 1, interval)
			if err != nil {
				t.Errorf("a slow connection: %v", err)
				return
			}
			o.lives <- life
		})
	}
	go func() {
		all.Wait()
		close(o.lives)
		close(o.done)
	}()
	return o
}

// beSlow returns how long the server bore it. With some beginnings net/http answers
// 400 before it hangs up.
func (p *peer) beSlow(first string, drips bool, interval time.Duration) (time.Duration, error) {
	began := time.Now()
	_ = p.nc.SetWriteDeadline(began.Add(wstest.Patience))
	if _, err := p.nc.Write([]byte(first)); err != nil {
		return time.Since(began), nil // cut before it came to speak
	}
	buf := make([]byte, 512)
	for {
		_ = p.nc.SetReadDeadline(time.Now().Add(interval))
		n, err := p.nc.Read(buf)
		var timeout net.Error
		switch {
		case n > 0 && !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 400 ")):
			return 0, fmt.Errorf("an answer: %.100q", buf[:n])
		case n > 0:
			drips = false
		case !errors.As(err, &timeout) || !timeout.Timeout():
			return time.Since(began), nil // cut
		case time.Since(began) > wstest.Patience:
			return 0, errors.New("is still open")
		case drips:
			if _, err := p.nc.Write([]byte("x")); err != nil {
				return time.Since(began), nil
			}
		}
	}
}

// connectMeanwhile connects over both transports, again and again until the end; the
// function waits for that.
func connectMeanwhile(t *testing.T, s *server, end <-chan struct{}) (wait func()) {
	var all sync.WaitGroup
	var mu sync.Mutex
	times := map[string][]time.Duration{}
	const websocket, polling = "WebSocket", "long-poll"
	const late = 2 * time.Second // a machine that stood still may have been too late with the header
	for _, kind := range []string{websocket, polling} {
		all.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				began := time.Now()
				var err error
				if kind == websocket {
					var a *answer
					if a, err = once(s.addr, head("GET", "/socket/websocket?vsn=2.0.0", upgradeLines...)); err == nil && a.Status != 101 {
						err = fmt.Errorf("%v", a)
					}
				} else {
					var c *poller
					if c, err = openSession(s.addr, "/socket/longpoll?vsn=2.0.0"); err == nil {
						c.close()
					}
				}
				took := time.Since(began)
				switch {
				case err != nil && !waittest.Full && took > late:
					continue
				case err != nil:
					t.Errorf("%s meanwhile: %v", kind, err)
					return
				}
				mu.Lock()
				times[kind] = append(times[kind], took)
				mu.Unlock()
			}
		})
	}
	return func() {
		all.Wait()
		for kind, list := range times {
			t.Logf("%d %s handshakes meanwhile", len(list), kind)
			waittest.AtMost(t, "their p99", percentile(list, 99), 200*time.Millisecond)
		}
	}
}

// flood sends requests that are too large, each many times.
func flood(t *testing.T, s *server) {
	many := func(n int) []string {
		lines := make([]string, n)
		for i := range lines {
			lines[i] = fmt.Sprintf("X-%d: %d", i, i)
		}
		return lines
	}
	long := strings.Repeat("x", 1<<20)
	for _, f := range []struct {
		name   string
		lines  []string
		target string // beyond the path of the transport
		status int
	}{
		{"10,000 header lines", many(10_000), "", 431},
		{"1 MiB in one header", []string{"X-Long: " + long}, "", 431},
		{"1 MiB of cookies", []string{"Cookie: " + strings.Repeat("a=b; ", 1<<18)}, "", 431},
		{"a header name of 1 MiB", []string{long + ": a"}, "", 431},
		{"1 MiB of URL", nil, "&a=" + long, 431}, // net/http counts it with the header
		{"100 header lines", many(100), "", 431},
		{"17 KiB in one header", []string{"X-Long: " + long[:17<<10]}, "", 431},
		{"17 KiB over 17 headers", slices.Repeat([]string{"X-Long: " + long[:1<<10]}, 17), "", 431},
		{"9 KiB of URL", nil, "&a=" + long[:9<<10], 414},
		{"100 parameters", nil, strings.Repeat("&a=b", 100), 400},
	} {
		t.Run(f.name, func(t *testing.T) {
			for range waittest.Sized(10, 300) {
				for _, path := range []string{"/socket/websocket", "/socket/longpoll"} {
					a, err := once(s.addr, head("GET", path+"?vsn=2.0.0"+f.target, append(upgradeLines[:4:4], f.lines...)...))
					if err != nil || a.Status != f.status {
						t.Fatalf("%s: %v, %v; want HTTP %d", path, a, err, f.status)
					}
					if a.Status == http.StatusRequestHeaderFieldsTooLarge && len(a.Body) > 100 {
						t.Errorf("%s: a body of %d bytes", path, len(a.Body))
					}
				}
			}
		})
	}
}
