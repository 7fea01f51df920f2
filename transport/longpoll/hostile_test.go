package longpoll

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// raw is a client that can do everything wrong.
type raw struct {
	t  testing.TB
	nc net.Conn
	br *bufio.Reader
}

func (st *site) raw() *raw {
	st.t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(st.url, "http://"))
	if err != nil {
		st.t.Fatal(err)
	}
	st.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &raw{st.t, nc, bufio.NewReader(nc)}
}

// write sends the text, with CRLF for each LF of the header.
func (c *raw) write(header, body string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, strings.ReplaceAll(header, "\n", "\r\n")+body); err != nil {
		c.t.Fatal(err)
	}
}

func (c *raw) read() *reply {
	c.t.Helper()
	res, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	r, err := readReply(res)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func postHeader(token string, lines ...string) string {
	return "POST / HTTP/1.1\nHost: a\n" + tokenHeader + ": " + token + "\n" + strings.Join(lines, "\n") + "\n\n"
}

// TestAlteredTokens changes each character of a token, and cuts and extends it.
func TestAlteredTokens(t *testing.T) {
	st := newSite(t, nil, nil)
	token := st.open()
	var list []string
	for i := range len(token) {
		for _, c := range []byte{token[i] ^ 1, 'A', 'z', '-', '=', '\n', 0xff} {
			if c != token[i] {
				list = append(list, token[:i]+string([]byte{c})+token[i+1:])
			}
		}
		list = append(list, token[:i], token[i:], token[:i]+"\n"+token[i:], token[:i]+token[i:]+"=")
	}
	list = append(list, token+token, token+"A", " "+token, strings.ToUpper(token), strings.Repeat("A", 1<<20))
	for _, bad := range list {
		if bad == token {
			continue
		}
		if _, ok := st.srv.keys.open(bad); ok {
			t.Fatalf("accepted %.200q", bad)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", strings.NewReader("a"))
		r.Header[tokenHeader] = []string{bad}
		if st.h.Serve(w, r, nil); len(bad) < 1000 && w.Body.String() != `{"status":410}` {
			t.Fatalf("%q: %s", bad, w.Body)
		}
	}
	if n := st.srv.extra("posts"); n != 0 {
		t.Errorf("%d posts reached a session", n)
	}
	st.post(token, "a").want(t, 200)
}

// TestGuessedTokens makes tokens of the right form with all but the secret.
func TestGuessedTokens(t *testing.T) {
	st := newSite(t, nil, nil)
	genuine, _ := st.srv.keys.open(st.open())
	r := rand.New(rand.NewPCG(1, 2))
	guessed := newKeys(nil)
	n := 20_000
	if testing.Short() {
		n = 1000
	}
	for range n {
		t1 := genuine
		t1.number = uint64(r.IntN(3))
		if r.IntN(2) == 0 {
			t1.session[r.IntN(16)] ^= byte(1 + r.IntN(255))
		}
		guessed.sign[r.IntN(32)]++
		if _, ok := st.srv.keys.open(guessed.seal(&t1)); ok {
			t.Fatal("guessed")
		}
	}
}

// TestForeignTokens come from a server with another secret, and from one with the
// same that is gone.
func TestForeignTokens(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	st := serve(t, testServer(t, &serverConfig{Secret: secret}), nil, nil)
	for _, other := range []*serverConfig{{Secret: []byte("another of sixteen bytes or more")}, {}, {Secret: secret}} {
		token := serve(t, testServer(t, other), nil, nil).open()
		st.post(token, "a").want(t, 410)
		if r := st.poll(token).want(t, 410); r.Token == token {
			t.Error("no new token")
		}
	}
}

func TestBodyTooLarge(t *testing.T) {
	st := newSite(t, nil, &Options{MaxBody: 1000})
	token := st.open()
	for _, size := range []int{1001, 100_000, 8_100_000} {
		r := st.post(token, strings.Repeat("x", size)).wantHTTP(t, 400)
		if r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Error("no CORS header")
		}
	}
	// Of unknown length.
	req := ask{method: "POST", token: token}.request(st.url)
	req.Body = io.NopCloser(io.LimitReader(zeros{}, 3_000_000))
	req.ContentLength = -1
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 400 {
		t.Errorf("HTTP %d", res.StatusCode)
	}
	if n := st.srv.extra("bad_bodies"); n != 4 {
		t.Errorf("%d counted", n)
	}
	whole := strings.Repeat("x", 1000)
	st.post(token, whole).want(t, 200)
	st.poll(token).want(t, 200, whole)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestEndlessBody sends more than the server wants to throw away: it still answers.
func TestEndlessBody(t *testing.T) {
	st := newSite(t, nil, nil)
	c := st.raw()
	c.write(postHeader(st.open(), "Content-Length: 1000000000000"), "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(c.nc, zeros{})
	}()
	// The answer may be lost in the reset; what counts is that it ends.
	io.Copy(io.Discard, c.br)
	<-done
}

func TestExpectContinue(t *testing.T) {
	st := newSite(t, nil, nil)
	c := st.raw()
	c.write(postHeader(st.open(), "Content-Length: 8000000", "Expect: 100-continue"), "")
	c.read().wantHTTP(t, 400)
}

func TestBadBodies(t *testing.T) {
	st := newSite(t, nil, nil)
	token := st.open()
	for _, body := range []string{
		"not base64", "[1]\nAAA\n[2]", "[1]\nAAAA=\n", "AAAB\rAAAB", "\"a\"", "[1]\n[\xff]", "{\"topic\":\"a\"}", "\x00", "-_-_", "[1]\r\r\n\r\r\n",
	} {
		st.ndjson(token, body).wantHTTP(t, 400)
	}
	st.post(token, "\xff").wantHTTP(t, 400)
	st.post(token, "ok").want(t, 200)
	st.poll(token).want(t, 200, "ok") // nothing of the others was handed on
}

// TestCutBodies ends the connection within a body.
func TestCutBodies(t *testing.T) {
	st := newSite(t, nil, nil)
	token := st.open()
	for _, lines := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
		for _, body := range []string{"", "5\r\nhello", "5\r\nhello\r\n5\r\nwo", "xyz\r\n"} {
			c := st.raw()
			c.write(postHeader(token, lines), body)
			c.nc.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c.br)
		}
	}
	eventually(t, "all are counted", func() bool { return st.srv.extra("bad_bodies") == 8 })
	st.post(token, "ok").want(t, 200)
	st.poll(token).want(t, 200, "ok")
}

func TestSlowBody(t *testing.T) {
	t.Parallel()
	st := newSite(t, nil, &Options{BodyTimeout: time.Second})
	c := st.raw()
	c.write(postHeader(st.open(), "Content-Length: 100"), "a")
	c.read().wantHTTP(t, 400)
}

// TestBodyOfGet must not be waited for.
func TestBodyOfGet(t *testing.T) {
	st := newSite(t, nil, nil)
	c := st.raw()
	c.write("GET /?vsn=2.0.0 HTTP/1.1\nHost: a\nContent-Length: 100\n\n", "")
	c.read().want(t, 410)
}

// TestServerTimeouts has an http.Server whose own timeouts are shorter than the
// window.
func TestServerTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := testServer(t, nil)
		h := mustHandler(t, srv, &exchange{}, nil)
		hs := &http.Server{
			Handler:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Serve(w, r, nil) }),
			ReadTimeout: time.Second, WriteTimeout: time.Second,
		}
		pipes := &lazySite{conns: make(chan net.Conn), done: make(chan struct{})}
		var served sync.WaitGroup
		served.Go(func() { _ = hs.Serve(pipes) })
		via := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			pipes.conns <- server
			return client, nil
		}}
		t.Cleanup(func() {
			srv.Close(transport.CloseRestart)
			via.CloseIdleConnections()
			_ = hs.Close()
			served.Wait()
		})
		st := &site{t: t, srv: srv, h: h, url: "http://pipe.test", via: via}
		token := st.open()
		for range 2 {
			st.poll(token).want(t, 204)
		}
		waiting := st.background(ask{token: token})
		st.polling(token)
		st.post(token, "a").want(t, 200)
		(<-waiting).want(t, 200, "a")
	})
}

// TestClientThatDoesNotRead is given up, and what it was given with it.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	for _, adopting := range []bool{false, true} {
		x := &exchange{}
		st := newSite(t, x, &Options{MaxBufferBytes: 64 << 20, WriteTimeout: time.Second})
		var header []string
		if adopting {
			header = []string{ackHeader, "1"}
		}
		token := st.open(header...)
		p := x.last()
		const messages = 12 // more than the kernel takes
		for range messages {
			p.conn.Send(seal(wire.Text, strings.Repeat("x", 1<<20)))
		}
		c := st.raw()
		c.nc.(*net.TCPConn).SetReadBuffer(4096)
		c.write("GET /?vsn=2.0.0 HTTP/1.1\nHost: a\n"+tokenHeader+": "+token+"\n\n", "")
		if adopting { // it can ask again
			eventually(t, "the request ends", func() bool {
				st.srv.work.mu.Lock()
				defer st.srv.work.mu.Unlock()
				return st.srv.extra("batches") == 1 && st.srv.work.n == 1
			})
			eventually(t, "it has all", func() bool { // a machine that stands still may cut this one too
				r, err := st.try(ask{token: token})
				if err == nil && len(r.Messages) != messages {
					t.Errorf("%d messages", len(r.Messages))
				}
				return err == nil
			})
		} else if err := p.reason(t); err != transport.ErrLost {
			t.Errorf("reason %v", err)
		}
	}
}

// TestPlainResponseWriter has one that supports nothing but the interface.
func TestPlainResponseWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := mustHandler(t, testServer(t, nil), &exchange{}, nil)
		do := func(a ask) *reply {
			t.Helper()
			rec := httptest.NewRecorder()
			h.Serve(struct{ http.ResponseWriter }{rec}, a.request("http://example.com"), map[string]string{"tenant": "a"})
			r, err := readReply(rec.Result())
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		token := do(ask{}).want(t, 410).Token
		do(ask{method: "POST", token: token, body: "a"}).want(t, 200)
		do(ask{token: token}).want(t, 200, "a")
		do(ask{token: token}).want(t, 204)
	})
}

// TestAbandonedSessions makes many and polls none.
func TestAbandonedSessions(t *testing.T) {
	n := 2000
	inBubble(t, &exchange{}, &Options{MaxSessionsPerAddress: option.Unlimited}, func(b *bubble) {
		for range n {
			b.open()
		}
		if got := b.srv.Stats().Open; got != int64(n) {
			b.Fatalf("%d sessions", got)
		}
		synctest.Wait()
		if b.srv.tasks.Len() != 0 {
			b.Errorf("%d goroutines of idle sessions", b.srv.tasks.Len())
		}
		time.Sleep(defaultWindow*3/2 + time.Second)
		if s := b.srv.Stats(); s.Open != 0 || s.IdleTimeouts != uint64(n) {
			b.Errorf("%+v", s)
		}
	})
}

func TestSplitBodyLimits(t *testing.T) {
	body := []byte(strings.Repeat("\n", 1000) + strings.Repeat("[1]\n", 100_000))
	lines, more, err := splitBody(body, true, 100)
	if err != nil || len(lines) != 100 || !more {
		t.Fatalf("%d lines, %v, %v", len(lines), more, err)
	}
	lines, more, err = splitBody([]byte("[1]\n[2]"), true, 2)
	if err != nil || len(lines) != 2 || more {
		t.Fatalf("%d lines, %v, %v", len(lines), more, err)
	}
	// What a receiver keeps must not keep the whole body, nor be shared.
	for i, l := range lines {
		l.data[0] = '!'
		if want := fmt.Sprintf("!%d]", i+1); string(l.data) != want || cap(l.data) > 16 {
			t.Errorf("line %d is %q of %d bytes", i, l.data, cap(l.data))
		}
	}
}

// TestDeclaredLength says that a length which is only declared takes no memory, also
// without a limit.
func TestDeclaredLength(t *testing.T) {
	t.Parallel()
	st := newSite(t, nil, &Options{MaxBody: option.Unlimited, BodyTimeout: time.Second})
	c := st.raw()
	c.write(postHeader(st.open(), "Content-Length: 60000000"), strings.Repeat("x", earnest+1))
	c.read().wantHTTP(t, 400)
}
