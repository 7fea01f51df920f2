package faults

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// The bounds of the mounts that are abused.
const (
	abuseBody = 1 << 20 // of /socket
	abuseBig  = 4 << 20 // of /big
	// abuseBodyTimeout is that of /stalls, where bodies never come whole. Elsewhere they may
	// take as long as they need on a busy machine.
	abuseBodyTimeout = 3 * time.Second
)

// abuseWindow is that of /waits, where a poll waits for nothing. Elsewhere a session outlives
// its stalled body, and all that the others do meanwhile.
const abuseWindow = 20 * time.Second

// TestLongPollAbuse (F16): whatever is sent in place of polls and posts, each request
// is answered as package longpoll says, memory stays within twice the body limit
// for each request, and no connection of HTTP is left.
func TestLongPollAbuse(t *testing.T) {
	s := start(t, nil, func(e *bennu.Endpoint) {
		options := func(body int, timeout, window time.Duration) *bennu.SocketOptions {
			return &bennu.SocketOptions{
				Transports: []transport.Transport{
					websocket.New(nil),
					longpoll.New(&longpoll.Options{
						Window: window, BodyTimeout: timeout, MaxBody: body, MaxSessionsPerAddress: bennu.Unlimited,
					}),
				},
			}
		}
		e.Socket("/socket", echoes(), options(abuseBody, wstest.Patience, wstest.Patience))
		e.Socket("/waits", echoes(), options(abuseBody, wstest.Patience, abuseWindow))
		e.Socket("/big", echoes(), options(abuseBig, wstest.Patience, wstest.Patience))
		e.Socket("/stalls", echoes(), options(abuseBody, abuseBodyTimeout, wstest.Patience))
	})
	stop := bystanders(t, s)
	base := heaptest.Live()
	copies := waittest.Sized(4, 40)
	peak := watchHeap()
	var all sync.WaitGroup
	// Clients and server have the same cores here, so not all come in one moment, nor
	// all large bodies.
	arriving, heavy := make(chan struct{}, 16), make(chan struct{}, 16)
	most := base + 16<<20 + 2*abuseBig*cap(heavy)
	for range copies {
		for _, a := range abuses {
			all.Go(func() {
				if a.body >= abuseBody/4 {
					heavy <- struct{}{}
					defer func() { <-heavy }()
				}
				arriving <- struct{}{}
				c, err := openSession(s.addr, a.path(t.Name()+a.name))
				<-arriving
				if err == nil {
					defer func() { c.close() }() // of the connection that it has then
					err = a.do(s, c)
				}
				if err != nil {
					t.Errorf("%s: %v", a.name, err)
				}
			})
		}
	}
	all.Wait()
	if got := peak(); got > most {
		t.Errorf("heap of %d MiB, want at most %d", got>>20, most>>20)
	} else {
		t.Logf("%d abuses %d times; heap %d MiB at most, of %d allowed, %d before", len(abuses), copies, got>>20, most>>20, base>>20)
	}
	stop()
	eventually(t, "no HTTP connection is left", func() bool { return s.http.Load() == 0 })
	stats := s.Stats().Transports["longpoll"].Extra
	// Two of them have more than 100 lines.
	if want := 2 * uint64(copies); stats["ignored_lines"] != want {
		t.Errorf("%d posts with ignored lines counted, want %d", stats["ignored_lines"], want)
	}
	if want := copies * badBodies(); stats["bad_bodies"] != uint64(want) {
		t.Errorf("%d bad bodies counted, want %d", stats["bad_bodies"], want)
	}
	if waittest.Full {
		eventually(t, "no session is left", func() bool { return s.left() == "" })
	}
}

// abuse is one thing that a client may do with a session of its own.
type abuse struct {
	name   string
	body   int  // bytes of it
	big    bool // on the mount with the larger bound
	stalls bool // on the mount with the short time for bodies
	waits  bool // on the mount with the short window
	bad    int  // bodies that the server must count as bad
	do     func(s *server, c *poller) error
}

func (a *abuse) path(name string) string {
	path := "/socket"
	switch {
	case a.big:
		path = "/big"
	case a.stalls:
		path = "/stalls"
	case a.waits:
		path = "/waits"
	}
	return path + "/longpoll?vsn=2.0.0&id=" + strings.Map(func(r rune) rune {
		if r == ' ' || r == ',' || r > 126 {
			return '-'
		}
		return r
	}, name)
}

func badBodies() (n int) {
	for _, a := range abuses {
		n += a.bad
	}
	return n
}

const heartbeat = `[null,"1","phoenix","heartbeat",{}]`

var heartbeats = []byte(strings.Repeat(heartbeat+"\n", 100_000))

// still says that the session lives, and that so many replies to what was sent before
// wait for the client.
func (c *poller) still(replies int) error {
	a, err := c.post(ndjson, heartbeat)
	if err := want(a, err, 200, 200); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	a, err = c.poll()
	if err := want(a, err, 200, 200); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	if n := len(a.Envelope.Messages); n != replies+1 {
		return fmt.Errorf("after it: %d messages, want the reply to the heartbeat and %d more", n, replies)
	}
	return nil
}

// gone says that the session is no more: a post is told so, a poll makes another.
func (c *poller) gone() error {
	a, err := c.post(ndjson, heartbeat)
	if err := want(a, err, 200, 410); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	a, err = c.poll()
	if err := want(a, err, 200, 410); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	if a.Envelope.Token == "" || a.Envelope.Token == c.token {
		return errors.New("after it: the poll got no new token")
	}
	return nil
}

// again is a poller of the same session on a connection of its own, after the
// server closed the one before.
func (c *poller) again(s *server) (*poller, error) {
	p, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	c.close()
	c.peer = p
	return c, nil
}

// ended, in place of a number of replies, says that a session is no more.
const ended = -1

// posts is an abuse by one body. After it so many replies wait for the client, or the
// session has ended.
func posts(name, kind, body string, http, envelope, replies int) abuse {
	sent := []byte(body)
	a := abuse{name: name, body: len(body), do: func(s *server, c *poller) error {
		res, err := c.postBytes(kind, sent)
		if err := want(res, err, http, envelope); err != nil {
			return err
		}
		if res.Close {
			if c, err = c.again(s); err != nil {
				return err
			}
		}
		if replies == ended {
			return c.gone()
		}
		return c.still(replies)
	}}
	if http == 400 {
		a.bad = 1
	}
	return a
}

// cut is an abuse by a head whose body never comes whole. The rest may be sent; then
// the client closes its side, or waits.
func cut(name string, lines []string, rest string, closes bool, bad int) abuse {
	return abuse{name: name, body: 64 << 10, stalls: true, bad: bad, do: func(s *server, c *poller) error {
		text := head("POST", c.path, append([]string{"X-Phoenix-Longpoll-Token: " + c.token, ndjson}, lines...)...) + rest
		_ = c.nc.SetDeadline(time.Now().Add(wstest.Patience))
		if _, err := io.WriteString(c.nc, text); err != nil {
			return err
		}
		if closes {
			if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
				return err
			}
		}
		a, err := c.read("POST")
		if err != nil {
			return err
		}
		if (a.Status != 400 || !a.Close) && a.Status != 501 {
			return fmt.Errorf("%v; want HTTP 400 or 501, and the end of the connection", a)
		}
		if _, err := c.br.ReadByte(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("after the answer: %v, want EOF", err)
		}
		if c, err = c.again(s); err != nil {
			return err
		}
		return c.still(0)
	}}
}

// TestBodiesOfTheRefused: a request that is refused without a look at its body does not
// hold its connection for the rest of that.
func TestBodiesOfTheRefused(t *testing.T) {
	t.Parallel() // it waits most of its time
	s := start(t, nil, func(e *bennu.Endpoint) {
		e.Socket("/socket", echoes(), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(&longpoll.Options{Window: 100 * time.Millisecond})}})
	})
	const foreign, length, expect = "Origin: http://evil.test", "Content-Length: 10", "Expect: 100-continue"
	var all sync.WaitGroup
	for _, r := range []string{
		head("POST", "/socket/longpoll", length),
		head("POST", "/socket/longpoll", length, expect),
		head("POST", "/socket/longpoll", length, foreign),
		head("POST", "/socket/longpoll", length, expect, foreign),
		head("POST", "/socket/longpoll", "Transfer-Encoding: chunked"),
		head("GET", "/socket/longpoll?vsn=2.0.0", length),
		head("GET", "/socket/longpoll?vsn=2.0.0", length, foreign),
		head("OPTIONS", "/socket/longpoll", length),
		head("PUT", "/socket/longpoll", length),
		head("GET", "/socket/websocket?vsn=2.0.0", append(upgradeLines[:4:4], length)...),
		head("GET", "/socket/websocket?vsn=2.0.0", length, foreign),
		head("POST", "/socket/websocket", length),
		head("POST", "/socket/websocket", "Transfer-Encoding: chunked"),
	} {
		all.Go(func() {
			p, err := dial(s.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.close()
			a, err := p.stall(r)
			if err != nil {
				t.Errorf("%.200q: %v, %v", r, a, err)
			}
		})
	}
	all.Wait()
}

// stall sends a request without its body, and waits for an answer and the end of the
// connection.
func (p *peer) stall(text string) (*answer, error) {
	_ = p.nc.SetDeadline(time.Now().Add(wstest.Patience))
	if _, err := io.WriteString(p.nc, text); err != nil {
		return nil, err
	}
	a, err := p.read("POST")
	if err != nil {
		return nil, err
	}
	if _, err := p.br.ReadByte(); !errors.Is(err, io.EOF) {
		return a, fmt.Errorf("after the answer: %w, want EOF", err)
	}
	return a, nil
}

// TestPollAfterDisconnect: the end of a session that the server decides on is seen by
// the next request.
func TestPollAfterDisconnect(t *testing.T) {
	s := start(t, nil, func(e *bennu.Endpoint) {
		e.Socket("/socket", echoes(), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(&longpoll.Options{Window: time.Minute, MaxSessionsPerAddress: 2})}})
	})
	c, err := openSession(s.addr, "/socket/longpoll?vsn=2.0.0&id=one")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.join("room:1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Disconnect("one"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session is gone", func() bool { return s.Stats().Transports["longpoll"].Open == 0 })
	if err := c.gone(); err != nil {
		t.Fatal(err)
	}
	// The poll has made a session; one more is what the address may have.
	for _, want := range []int{200, 503} {
		a, err := once(s.addr, head("GET", "/socket/longpoll?vsn=2.0.0"))
		if err != nil || a.Status != want || want == 503 && (a.Body != "" || a.Header.Get("Retry-After") == "") {
			t.Fatalf("%v, %v, want HTTP %d", a, err, want)
		}
	}
	if n := s.Stats().Transports["longpoll"].Extra["address_limited"]; n != 1 {
		t.Errorf("%d requests counted as too many of one address, want 1", n)
	}
}
