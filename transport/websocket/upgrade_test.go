package websocket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// roundTrip sends a request line with header lines and reads the response.
func roundTrip(t *testing.T, addr, first string, lines []string) (*client, *http.Response, string) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc)
	c.write([]byte(first + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"))
	nc.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := ""
	if resp.StatusCode != http.StatusSwitchingProtocols {
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(b)
	}
	return c, resp, body
}

// with replaces the lines whose names those of more have, or removes them where nothing
// follows the colon.
func with(lines []string, more ...string) []string {
	var out []string
	name := func(l string) string { return strings.ToLower(l[:strings.IndexByte(l, ':')]) }
	for _, l := range lines {
		keep := true
		for _, m := range more {
			keep = keep && name(l) != name(m)
		}
		if keep {
			out = append(out, l)
		}
	}
	for _, m := range more {
		if !strings.HasSuffix(m, ":") {
			out = append(out, m)
		}
	}
	return out
}

func TestUpgradeHeaders(t *testing.T) {
	addr := listen(t, newServer(t), acceptFunc(acceptEcho), nil)
	const get = "GET / HTTP/1.1"
	for _, tc := range []struct {
		name, first string
		lines       []string
		status      int
		body        string // a part of it
	}{
		{"plain", get, nil, 101, ""},
		{"trailing path", "GET /a/b?x=1 HTTP/1.1", nil, 101, ""},
		{"connection token list", get, []string{"Connection: keep-alive, Upgrade"}, 101, ""},
		{"connection any case", get, []string{"Connection: uPGRADE"}, 101, ""},
		{"connection two lines", get, []string{"Connection: keep-alive", "Connection: x , upgrade"}, 101, ""},
		{"connection empty elements", get, []string{"Connection: ,, upgrade,"}, 101, ""},
		{"connection with tabs", get, []string{"Connection: a,\tupgrade\t,b"}, 101, ""},
		{"connection missing", get, []string{"Connection:"}, 400, "Connection"},
		{"connection other", get, []string{"Connection: keep-alive"}, 400, "Connection"},
		{"connection near", get, []string{"Connection: upgrades"}, 400, "Connection"},
		{"connection spaced", get, []string{"Connection: up grade"}, 400, "Connection"},
		{"upgrade token list", get, []string{"Upgrade: h2c, WebSocket"}, 101, ""},
		{"upgrade two lines", get, []string{"Upgrade: h2c", "Upgrade: websocket"}, 101, ""},
		{"upgrade missing", get, []string{"Upgrade:"}, 400, "Upgrade"},
		{"upgrade other", get, []string{"Upgrade: h2c"}, 400, "Upgrade"},
		{"upgrade versioned", get, []string{"Upgrade: websocket/13"}, 400, "Upgrade"},
		{"version missing", get, []string{"Sec-WebSocket-Version:"}, 400, "Version"},
		{"version 8", get, []string{"Sec-WebSocket-Version: 8"}, 400, "Version"},
		{"version 14", get, []string{"Sec-WebSocket-Version: 14"}, 400, "Version"},
		{"version 013", get, []string{"Sec-WebSocket-Version: 013"}, 400, "Version"},
		{"version list", get, []string{"Sec-WebSocket-Version: 13, 8"}, 400, "Version"},
		{"version twice", get, []string{"Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"}, 400, "Version"},
		{"version two lines", get, []string{"Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 13"}, 400, "Version"},
		{"key missing", get, []string{"Sec-WebSocket-Key:"}, 400, "Key"},
		{"key short", get, []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="}, 400, "Key"},
		{"key long", get, []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==="}, 400, "Key"},
		{"key twice", get, []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, 400, "Key"},
		{"names in lower case", get, []string{"sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "connection: upgrade", "upgrade: websocket"}, 101, ""},
		{"extensions declined", get, []string{"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"}, 101, ""},
		{"extensions malformed", get, []string{"Sec-WebSocket-Extensions: ;;=,"}, 101, ""},
		{"subprotocol ignored", get, []string{"Sec-WebSocket-Protocol: foo, bar"}, 101, ""},
		{"host empty", get, []string{"Host: "}, 400, "host"},
		{"body", get, []string{"Content-Length: 3"}, 400, "body"},
		{"body chunked", get, []string{"Transfer-Encoding: chunked"}, 400, "body"},
		{"http 1.0", "GET / HTTP/1.0", nil, 400, "HTTP/1.1"},
		{"no upgrade at all", get, []string{"Connection:", "Upgrade:", "Sec-WebSocket-Version:", "Sec-WebSocket-Key:"}, 400, "Connection"},
		{"post", "POST / HTTP/1.1", []string{"Content-Length: 0"}, 400, ""},
		{"put", "PUT / HTTP/1.1", []string{"Content-Length: 0"}, 400, ""},
		{"delete", "DELETE / HTTP/1.1", nil, 400, ""},
		{"options", "OPTIONS / HTTP/1.1", nil, 400, ""},
		{"connect method", "PATCH / HTTP/1.1", []string{"Content-Length: 0"}, 400, ""},
		{"query not UTF-8", "GET /?x=%ff HTTP/1.1", nil, 400, ""},
		{"foreign origin", get, []string{"Origin: http://elsewhere.test"}, 403, ""},
		{"same origin", get, []string{"Origin: http://" + addr}, 101, ""},
		{"null origin", get, []string{"Origin: null"}, 403, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, resp, body := roundTrip(t, addr, tc.first, with(upgradeLines(addr), tc.lines...))
			if resp.StatusCode != tc.status {
				t.Fatalf("status %d, body %q; want %d", resp.StatusCode, body, tc.status)
			}
			if tc.body == "" && body != "" || !strings.Contains(body, tc.body) || strings.Count(body, "\n") > 1 || len(body) > 100 {
				t.Errorf("body %q, want %q within a short line", body, tc.body)
			}
			if tc.status != 101 {
				return
			}
			for name, value := range map[string]string{
				"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
				"Sec-WebSocket-Extensions": "", "Sec-WebSocket-Protocol": "",
			} {
				if got := resp.Header.Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			c.send(text("hello"))
			c.expect(wantText("hello"))
		})
	}
}

func TestHeadGetsNoBody(t *testing.T) {
	s := newServer(t)
	h, err := s.Handler(acceptFunc(acceptEcho), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"HEAD", "TRACE", "BREW", "POST"} {
		w := httptest.NewRecorder()
		h.Serve(w, httptest.NewRequest(method, "/", nil), nil)
		if w.Code != 400 || w.Body.Len() != 0 {
			t.Errorf("%s: %d %q", method, w.Code, w.Body)
		}
	}
}

func TestHTTP2IsRefused(t *testing.T) {
	s := newServer(t)
	h, err := s.Handler(acceptFunc(acceptEcho), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Serve(w, r, nil) }))
	ts.EnableHTTP2 = true
	ts.StartTLS()
	defer ts.Close()
	resp, err := ts.Client().Get(ts.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.ProtoMajor != 2 || resp.StatusCode != 400 || !strings.Contains(string(body), "HTTP/1.1") {
		t.Errorf("%s %d %q", resp.Proto, resp.StatusCode, body)
	}
}

func TestSubprotocolAndToken(t *testing.T) {
	const prefix = "base64url.bearer.phx."
	str := func(s string) *string { return &s }
	for _, tc := range []struct {
		name   string
		checks transport.Checks
		offers []string // header lines; nil is no header
		status int
		echo   string
		token  *string
	}{
		{"none configured", transport.Checks{}, []string{"foo, bar"}, 101, "", nil},
		{"configured, none offered", transport.Checks{Subprotocols: []string{"foo"}}, nil, 101, "", nil},
		{"server's order wins", transport.Checks{Subprotocols: []string{"foo", "bar"}}, []string{"bar, foo"}, 101, "foo", nil},
		{"case matters", transport.Checks{Subprotocols: []string{"foo"}}, []string{"FOO"}, 403, "", nil},
		{"no match", transport.Checks{Subprotocols: []string{"foo"}}, []string{"bar"}, 403, "", nil},
		{"second line", transport.Checks{Subprotocols: []string{"foo"}}, []string{"bar", "foo"}, 101, "foo", nil},
		{"token in the second line", transport.Checks{AuthToken: true}, []string{"phoenix", prefix + "YWI"}, 101, "phoenix", str("ab")},
		{"tokens in two lines", transport.Checks{AuthToken: true}, []string{"phoenix, " + prefix + "YWJj", prefix + "ZGVm"}, 101, "phoenix", nil},
		{"empty elements", transport.Checks{Subprotocols: []string{"foo"}}, []string{" ,, foo ,"}, 101, "foo", nil},
		{"token", transport.Checks{AuthToken: true}, []string{"phoenix, " + prefix + "dMO2ay9lbj8+"}, 101, "phoenix", str("tök/en?>")},
		{"token padded", transport.Checks{AuthToken: true}, []string{"phoenix, " + prefix + "YWI="}, 101, "phoenix", str("ab")},
		{"token in the URL alphabet", transport.Checks{AuthToken: true}, []string{"phoenix, " + prefix + "dMO2ay9lbj8-"}, 101, "phoenix", str("tök/en?>")},
		{"token undecodable", transport.Checks{AuthToken: true}, []string{"phoenix, " + prefix + "!!!"}, 403, "", nil},
		{"token empty", transport.Checks{AuthToken: true}, []string{"phoenix, " + prefix}, 101, "phoenix", str("")},
		{"token alone", transport.Checks{AuthToken: true}, []string{prefix + "YWI"}, 101, "", str("ab")},
		{"two tokens", transport.Checks{AuthToken: true}, []string{"phoenix, " + prefix + "YWJj, " + prefix + "ZGVm"}, 101, "phoenix", nil},
		{"no token", transport.Checks{AuthToken: true}, nil, 101, "", nil},
		{"token and configured", transport.Checks{AuthToken: true, Subprotocols: []string{"foo"}}, []string{"foo, " + prefix + "YWI"}, 101, "foo", str("ab")},
		{"token off", transport.Checks{}, []string{"phoenix, " + prefix + "YWI"}, 101, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var token *string
			addr := listenChecked(t, newServer(t), acceptFunc(func(i *transport.ConnectInfo) (seam.Receiver, error) {
				token = i.AuthToken
				return newReceiver(echo), nil
			}), &tc.checks, nil)
			lines := upgradeLines(addr)
			for _, o := range tc.offers {
				lines = append(lines, "Sec-WebSocket-Protocol: "+o)
			}
			_, resp, body := roundTrip(t, addr, "GET / HTTP/1.1", lines)
			if resp.StatusCode != tc.status || body != "" {
				t.Fatalf("status %d, body %q; want %d", resp.StatusCode, body, tc.status)
			}
			if got := strings.Join(resp.Header.Values("Sec-WebSocket-Protocol"), "|"); got != tc.echo {
				t.Errorf("echoed %q, want %q", got, tc.echo)
			}
			if (token == nil) != (tc.token == nil) || token != nil && *token != *tc.token {
				t.Errorf("token %v, want %v", token, tc.token)
			}
		})
	}
}

func TestAcceptorAnswers(t *testing.T) {
	reason := errors.New("rate limited")
	handler := func(w http.ResponseWriter, r *http.Request, err error) {
		if err != reason || r.URL.Path != "/" {
			panic("wrong arguments")
		}
		http.Error(w, "Too many", http.StatusTooManyRequests)
	}
	for _, tc := range []struct {
		name    string
		accept  acceptFunc
		onError func(http.ResponseWriter, *http.Request, error)
		status  int
		body    string
	}{
		{"refused", func(*transport.ConnectInfo) (seam.Receiver, error) { return nil, refused.ErrRefused }, handler, 403, ""},
		{"refused, wrapped", func(*transport.ConnectInfo) (seam.Receiver, error) {
			return nil, fmt.Errorf("no: %w", refused.ErrRefused)
		}, handler, 403, ""},
		{"busy", func(*transport.ConnectInfo) (seam.Receiver, error) { return nil, transport.ErrBusy }, handler, 503, ""},
		{"reason", func(*transport.ConnectInfo) (seam.Receiver, error) { return nil, reason }, nil, 403, ""},
		{"reason, handled", func(*transport.ConnectInfo) (seam.Receiver, error) { return nil, reason }, handler, 429, "Too many\n"},
		{"panic", func(*transport.ConnectInfo) (seam.Receiver, error) { panic("boom") }, handler, 500, ""},
		{"nil panic", func(*transport.ConnectInfo) (seam.Receiver, error) { panic(any(nil)) }, handler, 500, ""},
		{"goexit", func(*transport.ConnectInfo) (seam.Receiver, error) { runtime.Goexit(); return nil, nil }, handler, 500, ""},
		{"nothing", func(*transport.ConnectInfo) (seam.Receiver, error) { return nil, nil }, handler, 500, ""},
	} {
		// The acceptor's answer wins whether the headers are right or not.
		for _, lines := range [][]string{{"X-Nothing: 1"}, {"Upgrade:"}} {
			t.Run(tc.name+"/"+lines[0], func(t *testing.T) {
				s := newServer(t)
				addr := listenHost(t, s, &seam.Host{Acceptor: tc.accept, ErrorHandler: tc.onError}, nil, nil)
				_, resp, body := roundTrip(t, addr, "GET / HTTP/1.1", with(upgradeLines(addr), lines...))
				if resp.StatusCode != tc.status || body != tc.body {
					t.Errorf("%d %q, want %d %q", resp.StatusCode, body, tc.status, tc.body)
				}
				if after, _ := strconv.Atoi(resp.Header.Get("Retry-After")); tc.status == 503 && (after < 1 || after > 5) {
					t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
				}
				eventually(t, "refusal counted", func() bool { st := s.Stats(); return st.Refused == 1 && st.Opened == 0 })
			})
		}
	}
}

// TestAcceptComesBeforeHeaders holds the order that clients can see: the acceptor runs
// for a plain GET, but not for what the checks refuse.
func TestAcceptComesBeforeHeaders(t *testing.T) {
	var accepted atomic.Int32
	addr := listen(t, newServer(t), acceptFunc(func(*transport.ConnectInfo) (seam.Receiver, error) {
		accepted.Add(1)
		return newReceiver(nil), nil
	}), nil)
	for i, tc := range []struct {
		first, line string
		status      int
		accepted    int32
	}{
		{"GET / HTTP/1.1", "Upgrade:", 400, 1},
		{"GET / HTTP/1.1", "Origin: http://elsewhere.test", 403, 1},
		{"POST / HTTP/1.1", "Content-Length: 0", 400, 1},
		{"GET /?a=%fe HTTP/1.1", "Upgrade:", 400, 1},
		{"GET / HTTP/1.1", "X: 1", 101, 2},
	} {
		_, resp, _ := roundTrip(t, addr, tc.first, with(upgradeLines(addr), tc.line))
		if resp.StatusCode != tc.status || accepted.Load() != tc.accepted {
			t.Errorf("%d: status %d with %d accepted", i, resp.StatusCode, accepted.Load())
		}
	}
}

func TestAbortHandlerPasses(t *testing.T) {
	h, err := newServer(t).Handler(acceptFunc(func(*transport.ConnectInfo) (seam.Receiver, error) { panic(http.ErrAbortHandler) }), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
	}()
	h.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), nil)
	t.Error("returned")
}

func TestPathVariablesReachTheAcceptor(t *testing.T) {
	s := newServer(t)
	h, err := s.Handler(acceptFunc(func(i *transport.ConnectInfo) (seam.Receiver, error) {
		if i.Transport != "websocket" || i.Params["tenant"] != "acme" || i.Params["zz"] != "1" {
			t.Errorf("%s %v", i.Transport, i.Params)
		}
		return nil, refused.ErrRefused
	}), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.Serve(w, httptest.NewRequest("GET", "/?tenant=q&zz=1", nil), map[string]string{"tenant": "acme"})
	if w.Code != 403 {
		t.Error(w.Code)
	}
}

// TestNoHijacker upgrades through a writer that cannot.
func TestNoHijacker(t *testing.T) {
	h, err := newServer(t).Handler(acceptFunc(acceptEcho), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	for _, l := range upgradeLines("example.com") {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.Serve(w, r, nil)
	if w.Code != 500 {
		t.Error(w.Code)
	}
}

// TestFramesBehindHandshake sends frames in the same write as the handshake.
func TestFramesBehindHandshake(t *testing.T) { engines(t, testFramesBehindHandshake) }

func testFramesBehindHandshake(t *testing.T, newServer serverMaker) {
	addr := listen(t, newServer(t), acceptFunc(acceptEcho), nil)
	frames := join(text("early"), ping("bird"), text(strings.Repeat("x", 3000)))
	for cut := 0; cut <= len(frames); cut += 101 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, nc)
		c.write(append([]byte("GET / HTTP/1.1\r\n"+strings.Join(upgradeLines(addr), "\r\n")+"\r\n\r\n"), frames[:cut]...))
		if resp, err := http.ReadResponse(c.br, nil); err != nil || resp.StatusCode != 101 {
			t.Fatal(resp, err)
		}
		c.write(frames[cut:])
		c.expect(wantText("early"), wantPong("bird"), wantText(strings.Repeat("x", 3000)))
	}
}

func TestClosedServerRefuses(t *testing.T) { engines(t, testClosedServerRefuses) }

func testClosedServerRefuses(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	addr := listen(t, s, acceptFunc(acceptEcho), nil)
	open := upgrade(t, addr)
	s.Close(transport.CloseRestart)
	open.expect(wantClose(1012))
	_, resp, body := roundTrip(t, addr, "GET / HTTP/1.1", upgradeLines(addr))
	if resp.StatusCode != 503 || body != "" || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	sc, _ := tcpPair(t)
	if _, err := s.NewConn(sc, newReceiver(nil), nil); err != websocket.ErrServerClosed {
		t.Error(err)
	}
	if _, err := sc.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("socket left open: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	s := newServer(t)
	for _, o := range []*websocket.Options{
		{MaxMessage: -2}, {MaxFragments: -5}, {MaxControlRate: -2}, {IdleTimeout: -2}, {WriteTimeout: -time.Second},
		{CloseLinger: option.Unlimited}, {MaxQueueBytes: -2}, {MaxQueueMessages: -2},
		{MaxMessage: math.MaxInt}, {MaxFragments: math.MaxInt}, {MaxControlRate: math.MaxInt}, {MaxQueueBytes: math.MaxInt},
		{MaxQueueMessages: math.MaxInt}, {MaxMessage: 1<<30 + 1}, {IdleTimeout: math.MaxInt64}, {WriteTimeout: math.MaxInt64},
		{CloseLinger: math.MaxInt64}, {IdleTimeout: 366 * 24 * time.Hour}, {WriteTimeout: 290 * 365 * 24 * time.Hour},
	} {
		if _, err := s.Handler(acceptFunc(acceptEcho), nil, o); err == nil {
			t.Errorf("%+v accepted", o)
		}
		sc, _ := tcpPair(t)
		if _, err := s.NewConn(sc, newReceiver(echo), o); err == nil {
			t.Errorf("%+v accepted for a connection", o)
		}
	}
	beyond := websocket.NewServer(&websocket.ServerConfig{FlushWorkers: math.MaxInt})
	if _, err := beyond.Handler(acceptFunc(acceptEcho), nil, nil); err == nil || !strings.Contains(err.Error(), "FlushWorkers") {
		t.Errorf("FlushWorkers beyond the largest: %v", err)
	}
	for _, c := range []*transport.Checks{
		{Subprotocols: []string{"a b"}}, {Subprotocols: []string{""}},
	} {
		if _, err := s.Handler(acceptFunc(acceptEcho), c, nil); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
	if _, err := s.Handler(acceptFunc(acceptEcho), nil, &websocket.Options{
		MaxMessage: option.Unlimited, MaxFragments: option.Unlimited, MaxControlRate: option.Unlimited, IdleTimeout: option.Unlimited,
		WriteTimeout: option.Unlimited, MaxQueueBytes: option.Unlimited, MaxQueueMessages: option.Unlimited,
	}); err != nil {
		t.Error(err)
	}
}

// TestLargestOptions has connections whose options are as large as they may be: they live,
// and their close codes arrive.
func TestLargestOptions(t *testing.T) { engines(t, testLargestOptions) }

func testLargestOptions(t *testing.T, newServer serverMaker) {
	const year = 365 * 24 * time.Hour
	for _, o := range []*websocket.Options{
		{IdleTimeout: year}, {WriteTimeout: year}, {CloseLinger: year}, {MaxMessage: 1 << 30, MaxQueueBytes: 1 << 30},
	} {
		s := newServer(t)
		_, c := serve(t, s, newReceiver(echo), o)
		c.send(text("a"))
		c.expect(wantText("a"))
		s.Close(transport.CloseRestart)
		c.expect(wantClose(1012))
		c.nc.Close()
	}
}

// TestMalformedHandshakes sends handshakes with random damage. Each must be answered
// with a client's error or upgraded, and never break the server.
func TestMalformedHandshakes(t *testing.T) {
	s := newServer(t)
	addr := listen(t, s, acceptFunc(acceptEcho), nil)
	base := []byte("GET /?vsn=2.0.0 HTTP/1.1\r\n" + strings.Join(upgradeLines(addr), "\r\n") + "\r\n\r\n")
	for i := range len(base) - 4 {
		req := bytes.Clone(base)
		req[i] ^= byte(1 << (i % 7))
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		nc.Write(req)
		nc.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err == nil && resp.StatusCode != 101 && (resp.StatusCode < 400 || resp.StatusCode > 505) {
			t.Errorf("%q: status %d", req, resp.StatusCode)
		}
		nc.Close()
	}
}

// TestNothingOfTheRequestIsKept waits for the request of a live connection to be
// collected.
func TestNothingOfTheRequestIsKept(t *testing.T) { engines(t, testNothingOfTheRequestIsKept) }

func testNothingOfTheRequestIsKept(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	h, err := s.Handler(acceptFunc(acceptEcho), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var gone atomic.Bool
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runtime.AddCleanup(r.URL, func(gone *atomic.Bool) { gone.Store(true) }, &gone)
		h.Serve(w, r, nil)
	}))
	defer hs.Close()
	u, err := url.Parse(hs.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := upgrade(t, u.Host)
	c.send(text("alive"))
	c.expect(wantText("alive"))
	eventually(t, "request collected", func() bool { runtime.GC(); return gone.Load() })
	c.send(text("still"))
	c.expect(wantText("still"))
}

func TestServerLogsPanics(t *testing.T) {
	var log bytes.Buffer
	s := websocket.NewServer(&websocket.ServerConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	h, err := s.Handler(acceptFunc(func(*transport.ConnectInfo) (seam.Receiver, error) { panic("boom") }), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/?token=secret", nil), nil)
	if out := log.String(); !strings.Contains(out, "boom") || strings.Contains(out, "secret") {
		t.Error(out)
	}
	if err := s.Wait(context.Background()); err != nil {
		t.Error(err)
	}
}
