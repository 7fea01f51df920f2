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
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/longpoll"
)

// The bounds of the mounts that are abused.
const (
	abuseBody = 1 << 20 // of /socket
	abuseBig  = 4 << 20 // of /big
	// No honest body may take so long, however busy the machine is.
	abuseBodyTimeout = 3 * time.Second
)

// abuseWindow is long enough for a session to outlive its stalled body.
var abuseWindow = sized(4*time.Second, longpoll.DefaultWindow)

// TestLongPollAbuse (F16): whatever is sent in place of polls and posts, each request
// is answered as package longpoll says, memory stays within twice the body limit
// for each request, and no connection of HTTP is left.
func TestLongPollAbuse(t *testing.T) {
	s := start(t, nil, func(e *bennu.Endpoint) {
		options := func(body int) *bennu.SocketOptions {
			return &bennu.SocketOptions{LongPoll: &longpoll.Options{
				Window: abuseWindow, BodyTimeout: abuseBodyTimeout, MaxBody: body, MaxSessionsPerAddress: longpoll.Unlimited,
			}}
		}
		e.Socket("/socket", echoes(), options(abuseBody))
		e.Socket("/big", echoes(), options(abuseBig))
	})
	stop := bystanders(t, s, "/socket")
	base := heap()
	copies := sized(4, 40)
	peak := watchHeap()
	var all sync.WaitGroup
	// Clients and server have the same cores here, so that not all large bodies are
	// made and read in one moment.
	heavy := make(chan struct{}, 16)
	most := base + 16<<20 + 2*abuseBig*uint64(cap(heavy))
	for range copies {
		for _, a := range abuses {
			all.Go(func() {
				if a.body >= abuseBody/4 {
					heavy <- struct{}{}
					defer func() { <-heavy }()
				}
				c, err := openSession(s.addr, a.path(t.Name()+a.name))
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
	stats := s.Stats().LongPoll
	// Two of them have more than 100 lines.
	if want := 2 * uint64(copies); stats.IgnoredLines != want {
		t.Errorf("%d posts with ignored lines counted, want %d", stats.IgnoredLines, want)
	}
	if want := copies * badBodies(); stats.BadBodies != uint64(want) {
		t.Errorf("%d bad bodies counted, want %d", stats.BadBodies, want)
	}
	if full {
		eventuallyIn(t, 3*abuseWindow+wstest.Patience, "no session is left", func() bool { return s.left() == "" })
	}
}

// abuse is one thing that a client may do with a session of its own.
type abuse struct {
	name string
	body int  // bytes of it
	big  bool // on the mount with the larger bound
	bad  int  // bodies that the server must count as bad
	do   func(s *server, c *poller) error
}

func (a *abuse) path(name string) string {
	path := "/socket"
	if a.big {
		path = "/big"
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
	return abuse{name: name, body: 64 << 10, bad: bad, do: func(s *server, c *poller) error {
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

var abuses = []abuse{
	posts("8 MB of newlines", ndjson, strings.Repeat("\n", 8_000_000), 400, 0, 0),
	posts("1 MiB of newlines", ndjson, strings.Repeat("\n", abuseBody), 200, 200, 0),
	posts("1 MiB of CRLF", ndjson, strings.Repeat("\r\n", abuseBody/2), 200, 200, 0),
	posts("1 MiB and a byte", ndjson, strings.Repeat("\n", abuseBody+1), 400, 0, 0),
	posts("an empty body", ndjson, "", 200, 200, 0),
	posts("an empty body, not as lines", plain, "", 200, 408, ended),
	posts("1 MiB of brackets", ndjson, strings.Repeat("[", abuseBody), 200, 408, ended),
	posts("1 MiB of brackets, not as lines", plain, strings.Repeat("[", abuseBody), 200, 408, ended),
	posts("a string of 1 MiB", ndjson, `[null,"1","phoenix","heartbeat",{"a":"`+strings.Repeat("a", abuseBody-64)+`"}]`, 200, 200, 1),
	posts("bad base64", ndjson, "not base64", 400, 0, 0),
	posts("bad base64 behind a message", ndjson, heartbeat+"\n@@@@", 400, 0, 0),
	posts("base64 of the URL alphabet", ndjson, "-_-_", 400, 0, 0),
	posts("base64 without its padding", ndjson, "AAA", 400, 0, 0),
	posts("1 MiB of base64 without its padding", ndjson, strings.Repeat("A", abuseBody-1), 400, 0, 0),
	posts("base64 of no message", ndjson, "////", 200, 408, ended),
	posts("1 MiB of base64 of no message", ndjson, strings.Repeat("/", abuseBody), 200, 408, ended),
	posts("10^5 pieces of base64", ndjson, strings.Repeat("AA==\n", 100_000), 200, 408, ended),
	posts("no UTF-8", ndjson, "[\xff]", 400, 0, 0),
	posts("no UTF-8, not as lines", plain, "\xff\xfe", 400, 0, 0),
	posts("an object as a line", ndjson, `{"topic":"phoenix"}`, 400, 0, 0),
	{name: "10^5 heartbeats", body: len(heartbeats), big: true, do: func(_ *server, c *poller) error {
		a, err := c.postBytes(ndjson, heartbeats)
		if err := want(a, err, 200, 200); err != nil {
			return err
		}
		a, err = c.poll()
		if err := want(a, err, 200, 200); err != nil {
			return err
		}
		if n := len(a.Envelope.Messages); n != 100 {
			return fmt.Errorf("%d messages, want 100", n)
		}
		return nil
	}},

	cut("a body cut", []string{"Content-Length: 1000"}, heartbeat, true, 1),
	cut("a body that stalls", []string{"Content-Length: 1000"}, heartbeat, false, 1),
	cut("a body that never begins", []string{"Content-Length: 1000"}, "", false, 1),
	cut("chunks cut", []string{"Transfer-Encoding: chunked"}, "5\r\n[null", true, 1),
	cut("chunks that stall", []string{"Transfer-Encoding: chunked"}, "5\r\n[null\r\n", false, 1),
	cut("chunks that are none", []string{"Transfer-Encoding: chunked"}, "xyz\r\n[null\r\n", false, 1),
	cut("8 MB that are never sent", []string{"Content-Length: 8000000", "Expect: 100-continue"}, "", false, 1),
	cut("two lengths", []string{"Content-Length: 1", "Content-Length: 2"}, "ab", false, 0),
	cut("a length below zero", []string{"Content-Length: -1"}, "", false, 0),
	cut("an unknown encoding", []string{"Transfer-Encoding: gzip, chunked"}, "", false, 0),

	{name: "methods", do: func(s *server, c *poller) error {
		for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "TRACE", "FOO"} {
			a, err := c.ask(head(method, c.path, "X-Phoenix-Longpoll-Token: "+c.token))
			if err != nil || a.Status != 400 || a.Body != "" {
				return fmt.Errorf("%s: %v, %w", method, a, err)
			}
		}
		return c.still(0)
	}},
	{name: "a poll with a body", do: func(s *server, c *poller) error {
		if a, err := c.post(ndjson, heartbeat); err != nil || a.Envelope.Status != 200 {
			return fmt.Errorf("%v, %w", a, err)
		}
		a, err := c.ask(c.getText("Content-Length: 3") + "abc")
		if err := want(a, err, 200, 200); err != nil {
			return err
		}
		if !a.Close {
			return errors.New("the connection goes on, with the body in it")
		}
		return nil
	}},
	{name: "20 polls at once", do: pollsAtOnce},
	{name: "50 requests in one write", do: func(_ *server, c *poller) error {
		var b strings.Builder
		for range 50 {
			b.WriteString(c.postText(ndjson, len(heartbeat)) + heartbeat)
		}
		if a, err := c.ask(b.String()); err != nil || a.Envelope.Status != 200 {
			return fmt.Errorf("the first: %v, %w", a, err)
		}
		for i := range 49 {
			if a, err := c.read("POST"); err != nil || a.Envelope.Status != 200 {
				return fmt.Errorf("number %d: %v, %w", i+2, a, err)
			}
		}
		a, err := c.poll()
		if err == nil && len(a.Envelope.Messages) != 50 {
			err = fmt.Errorf("%d messages, want 50", len(a.Envelope.Messages))
		}
		return err
	}},
	{name: "polls that are left", do: func(s *server, c *poller) error {
		for range 10 {
			p, err := dial(s.addr)
			if err != nil {
				return err
			}
			_, err = io.WriteString(p.nc, c.getText())
			p.close()
			if err != nil {
				return err
			}
		}
		// One of them may have taken the reply before the server saw that its client
		// had gone. Then the session has ended, so that the client knows of it.
		a, err := c.post(ndjson, heartbeat)
		if err := want(a, err, 200, 200); err != nil {
			return c.gone()
		}
		if a, err = c.poll(); err == nil && a.Envelope.Status != 410 {
			err = want(a, err, 200, 200)
		}
		return err
	}},
	{name: "poll after close", do: func(s *server, c *poller) error {
		const topic = "room:closing"
		if err := c.join(topic); err != nil {
			return err
		}
		// The session ends over this, and the client learns it at once.
		a, err := c.post(ndjson, wstest.V2(`"1"`, `"2"`, topic, "echo", "{")+"\n"+heartbeat)
		if err := want(a, err, 200, 408); err != nil {
			return err
		}
		return c.gone()
	}},
}

// pollsAtOnce asks with one token on many connections: one gets what there is, the others
// nothing.
func pollsAtOnce(s *server, c *poller) error {
	const topic, n = "room:polls", 20
	if err := c.join(topic); err != nil {
		return err
	}
	answers, errs := make([]*answer, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i], errs[i] = once(s.addr, c.getText()) })
	}
	a, err := c.post(ndjson, wstest.V2(`"1"`, `"2"`, topic, "echo", `{"n":1}`))
	if err == nil {
		err = want(a, nil, 200, 200)
	}
	all.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	got := 0
	for _, a := range answers {
		switch {
		case a.Envelope.Status == 200:
			got++
			if want := wstest.Reply(`"1"`, `"2"`, topic, "ok", `{"n":1}`); len(a.Envelope.Messages) != 1 || !sameJSON(a.Envelope.Messages[0], want) {
				return fmt.Errorf("%v, want %s", a, want)
			}
		case a.Envelope.Status != 204 || len(a.Envelope.Messages) != 0:
			return fmt.Errorf("%v, want 200 or 204", a)
		}
	}
	if got != 1 {
		return fmt.Errorf("%d of %d polls got the message, want 1", got, n)
	}
	return nil
}

// TestBodiesOfTheRefused: a request that is refused without a look at its body does not
// hold its connection for the rest of that.
func TestBodiesOfTheRefused(t *testing.T) {
	t.Parallel() // it waits most of its time
	s := start(t, nil, func(e *bennu.Endpoint) {
		e.Socket("/socket", echoes(), &bennu.SocketOptions{LongPoll: &longpoll.Options{Window: 100 * time.Millisecond}})
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
		e.Socket("/socket", echoes(), &bennu.SocketOptions{LongPoll: &longpoll.Options{Window: time.Second, MaxSessionsPerAddress: 2}})
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
	eventually(t, "the session is gone", func() bool { return s.Stats().LongPoll.Open == 0 })
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
	if n := s.Stats().LongPoll.AddressLimited; n != 1 {
		t.Errorf("%d requests counted as too many of one address, want 1", n)
	}
}
