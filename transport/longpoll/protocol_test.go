package longpoll

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// room is a receiver that knows as much of Phoenix channels as the cases below
// need.
func room(p *phone, op wire.Opcode, data []byte) <-chan struct{} {
	say := func(format string, args ...any) { p.conn.Send(seal(wire.Text, fmt.Sprintf(format, args...))) }
	if op == wire.Binary {
		say(`[null,%q,"phoenix","phx_reply",{"status":"ok","response":{}}]`, data[5:6])
		return nil
	}
	var m [5]json.RawMessage
	if json.Unmarshal(data, &m) != nil {
		p.conn.Close(transport.CloseInternalError)
		return nil
	}
	topic, event := string(m[2]), string(m[3])
	response := m[4]
	switch event {
	case `"phx_join"`:
		response = json.RawMessage("{}")
		if topic == `"room:info"` {
			response, _ = json.Marshal(map[string]any{"params": p.info, "token": p.token})
		}
	case `"cast"`: // somebody else disconnects this socket
		p.conn.Close(transport.CloseGoingAway)
		return nil
	}
	say(`[%s,%s,%s,"phx_reply",{"status":"ok","response":%s}]`, m[0], m[1], topic, response)
	if topic == `"room:after"` {
		say(`["1",null,"room:after","hello",{"a":1}]`)
	}
	return nil
}

const (
	heartbeat      = `[null,"1","phoenix","heartbeat",{}]`
	heartbeatReply = `[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`
)

func TestFirstGetIsGone(t *testing.T) {
	st := newSite(t, nil, nil)
	r := st.do(ask{}).want(t, 410)
	if !strings.HasPrefix(r.body, `{"status":410,"token":"`) || !strings.HasSuffix(r.body, `","messages":[]}`) {
		t.Errorf("body %s", r.body)
	}
	for name, want := range map[string]string{
		"Content-Type":                     "application/json; charset=utf-8",
		"Access-Control-Allow-Origin":      "*",
		"Cache-Control":                    "no-store",
		"Access-Control-Allow-Credentials": "",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPollWithoutDataReturnsItsToken(t *testing.T) {
	inSite(t, nil, nil, func(t *testing.T, st *site) {
		token := st.open()
		for range 3 {
			r := st.poll(token).want(t, 204)
			if r.Token != token || !strings.Contains(r.body, `"messages":[]`) {
				t.Fatalf("got %v, want the token that was presented", r)
			}
		}
	})
}

// TestTokenForms has the token in either place; a header wins even when it is none.
func TestTokenForms(t *testing.T) {
	inSite(t, nil, nil, func(t *testing.T, st *site) {
		token := st.open()
		st.do(ask{query: "&token=" + token}).want(t, 204)
		st.do(ask{query: "&token=junk", token: token}).want(t, 204)
		for _, a := range []ask{
			{token: "junk"},
			{query: "&token=junk"},
			{query: "&token[]=" + token},
			{query: "&token=" + token, header: []string{tokenHeader, "junk"}},
			{query: "&token=" + token, header: []string{tokenHeader, ""}},
		} {
			r := st.do(a).want(t, 410)
			if r.Token == "" || r.Token == token {
				t.Errorf("%+v: no new token: %v", a, r)
			}
			a.method = "POST"
			if r = st.do(a); r.body != `{"status":410}` {
				t.Errorf("%+v: %v", a, r)
			}
		}
		if r := st.post("", "x"); r.body != `{"status":410}` {
			t.Errorf("post without a token: %v", r)
		}
	})
}

func TestPostThenPoll(t *testing.T) {
	st := newSite(t, answering(room), nil)
	token := st.open()
	if r := st.post(token, `["1","1","room:after","phx_join",{}]`); r.body != `{"status":200}` {
		t.Fatal(r)
	}
	r := st.poll(token).want(t, 200,
		`["1","1","room:after","phx_reply",{"status":"ok","response":{}}]`, `["1",null,"room:after","hello",{"a":1}]`)
	if r.Token == token || r.Token == "" {
		t.Errorf("token %q does not prove receipt", r.Token)
	}
}

func TestWaitingPollIsReleased(t *testing.T) {
	st := newSite(t, answering(room), nil)
	token := st.open()
	for range 3 {
		waiting := st.background(ask{token: token})
		st.polling(token)
		st.post(token, heartbeat).want(t, 200)
		token = (<-waiting).want(t, 200, heartbeatReply).Token
	}
}

func TestBatches(t *testing.T) {
	many := strings.Repeat(heartbeat+"\n", 103)
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = heartbeat
	}
	for _, tt := range []struct {
		name, body string
		want       []string
	}{
		{"LF and CRLF", "[1]\n[2]\r\n[3]", []string{"[1]", "[2]", "[3]"}},
		{"first 100", many, hundred},
		{"empty lines", "\n\r\n[1]\n\n\n[2]\n", []string{"[1]", "[2]"}},
		{"base64", "aGVsbG8=\n[1]\nd29ybGQ=", []string{"hello", "[1]", "world"}},
		{"empty", "", nil},
		{"nothing but lines", strings.Repeat("\n", 100_000), nil},
		{"escapes", "[\"\\u00e4 \\\\ \\\" \x7f \t ä \u2028 \U0001F600\"]", []string{"[\"\\u00e4 \\\\ \\\" \x7f \t ä \u2028 \U0001F600\"]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inSite(t, nil, nil, func(t *testing.T, st *site) {
				token := st.open()
				st.ndjson(token, tt.body).want(t, 200)
				status := 200
				if tt.want == nil {
					status = 204
				}
				r := st.poll(token)
				if status == 204 && len(r.Messages) == 0 {
					r.Messages = nil
				}
				r.want(t, status, tt.want...)
			})
		})
	}
}

// TestContentTypes has one message for every type but the one.
func TestContentTypes(t *testing.T) {
	st := newSite(t, nil, nil)
	for _, types := range [][]string{nil, {"application/json"}, {"application/x-ndjson; charset=utf-8"}, {"Application/X-NDJSON"}, {"application/x-ndjson", "application/x-ndjson"}} {
		token := st.open()
		a := ask{method: "POST", token: token, body: "[1]\n[2]"}
		for _, ct := range types {
			a.header = append(a.header, "Content-Type", ct)
		}
		st.do(a).want(t, 200)
		st.poll(token).want(t, 200, "[1]\n[2]")
	}
	token := st.open()
	st.post(token, `{"topic":"a"}`).want(t, 200) // v1
	st.poll(token).want(t, 200, `{"topic":"a"}`)
}

func TestBinaryUp(t *testing.T) {
	st := newSite(t, answering(room), nil)
	token := st.open()
	st.ndjson(token, "AAABBwk3cGhvZW5peGhlYXJ0YmVhdA==").want(t, 200)
	st.poll(token).want(t, 200, `[null,"7","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

func TestMalformedEndsSession(t *testing.T) {
	x := answering(room)
	inSite(t, x, nil, func(t *testing.T, st *site) {
		token := st.open()
		began := time.Now()
		if r := st.post(token, "{oops"); r.body != `{"status":408}` || time.Since(began) != 0 { // which may also mean that the window is over
			t.Fatalf("%v after %v", r, time.Since(began))
		}
		if err := x.last().reason(t); !isClosed(err, 1011) {
			t.Errorf("reason %v", err)
		}
		if r := st.poll(token).want(t, 410); r.Token == token || r.Token == "" {
			t.Errorf("no new token: %v", r)
		}
		if r := st.post(token, heartbeat); r.body != `{"status":410}` {
			t.Error(r)
		}
		if n := st.srv.Stats().ServerClosed; n != 1 {
			t.Errorf("%d closed by the server", n)
		}
		if n := st.srv.book.Count(notice.PostUnhandled); n != 0 { // it was said why the session ended
			t.Errorf("%d times post_unhandled", n)
		}
	})
}

// TestMalformedLine says that what follows a fatal line is not handed on.
func TestMalformedLine(t *testing.T) {
	x := answering(room)
	st := newSite(t, x, nil)
	st.ndjson(st.open(), heartbeat+"\n[oops\n"+heartbeat).want(t, 408)
	x.last().reason(t)
}

// TestDisconnect ends a session with a poll that waits: it runs to its window.
func TestDisconnect(t *testing.T) {
	inSite(t, answering(room), nil, func(t *testing.T, st *site) {
		token := st.open()
		st.post(token, `["1","1","room:1","phx_join",{}]`).want(t, 200)
		st.poll(token).want(t, 200, `["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
		waiting := st.background(ask{token: token}) // with its first token, for ever
		st.polling(token)
		began := time.Now()
		st.post(token, `["1","2","room:1","cast",{}]`).want(t, 200)
		(<-waiting).want(t, 204)
		if d := time.Since(began); d > defaultWindow {
			t.Errorf("after %v", d)
		}
		st.poll(token).want(t, 410)
	})
}

func TestAuthToken(t *testing.T) {
	st := newCheckedSite(t, answering(room), transport.Checks{AuthToken: true})
	token := st.open("X-Phoenix-AuthToken", "raw tok")
	st.post(token, `["1","1","room:info","phx_join",{}]`).want(t, 200)
	st.poll(token).want(t, 200, `["1","1","room:info","phx_reply",{"status":"ok","response":{"params":{"vsn":"2.0.0"},"token":"raw tok"}}]`)
}

func TestOptions(t *testing.T) {
	st := newSite(t, nil, nil)
	r := st.do(ask{method: "OPTIONS", header: []string{"Access-Control-Request-Headers", "x-a, content-type", "Access-Control-Request-Headers", "x-b"}}).wantHTTP(t, 200)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":  "*",
		"Access-Control-Allow-Headers": "x-a, content-type, x-b",
		"Access-Control-Allow-Methods": "get, post, options",
		"Access-Control-Max-Age":       "3600",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got, ok := st.do(ask{method: "OPTIONS"}).header["Access-Control-Allow-Headers"]; !ok || got[0] != "" {
		t.Errorf("without a request for headers: %q", got)
	}
}

func TestOtherMethods(t *testing.T) {
	st := newSite(t, nil, nil)
	for _, method := range []string{"PUT", "DELETE", "PATCH", "HEAD", "TRACE", "BREW"} {
		if r := st.do(ask{method: method}).wantHTTP(t, 400); r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", method, r.header)
		}
	}
}

func TestRefusals(t *testing.T) {
	answer := func(err error) *exchange {
		return &exchange{accept: func(*transport.ConnectInfo) (seam.Receiver, error) { return nil, err }}
	}
	if r := newSite(t, answer(refused.ErrRefused), nil).do(ask{}); r.body != `{"status":403}` {
		t.Errorf("refused: %v", r)
	}
	if r := newSite(t, answer(errors.New("rate limit")), nil).do(ask{}); r.body != `{"status":403}` {
		t.Errorf("a reason: %v", r)
	}
	if r := newSite(t, answer(fmt.Errorf("no: %w", transport.ErrBusy)), nil).do(ask{}).wantHTTP(t, 503); r.header.Get("Retry-After") == "" {
		t.Errorf("busy: %v", r.header)
	}
	newSite(t, answer(nil), nil).do(ask{}).wantHTTP(t, 500)
	for name, accept := range map[string]func(*transport.ConnectInfo) (seam.Receiver, error){
		"panic":  func(*transport.ConnectInfo) (seam.Receiver, error) { panic("oops") },
		"Goexit": func(*transport.ConnectInfo) (seam.Receiver, error) { runtime.Goexit(); return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, &exchange{accept: accept}, &Options{MaxSessionsPerAddress: 1})
			for range 3 {
				st.do(ask{}).wantHTTP(t, 500)
				eventually(t, "the address has its slot back", func() bool { return st.srv.addresses.Len() == 0 })
			}
			eventually(t, "all are counted", func() bool { return st.srv.Stats().Refused == 3 })
		})
	}
}

func TestReceiverThatDoesNotOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		opened func(*phone)
		status int
	}{
		"closes": {func(p *phone) { p.conn.Close(transport.CloseRestart) }, 503},
		"panics": {func(*phone) { panic("oops") }, 500},
		"exits":  {func(*phone) { runtime.Goexit() }, 500},
	} {
		t.Run(name, func(t *testing.T) {
			x := &exchange{make: func() *phone { return &phone{opened: tt.opened, closed: make(chan error, 1)} }}
			newSite(t, x, nil).do(ask{}).wantHTTP(t, tt.status)
			x.last().reason(t)
		})
	}
}

func TestReceiverThatBreaks(t *testing.T) {
	for name, receive := range map[string]func(*phone, wire.Opcode, []byte) <-chan struct{}{
		"panics": func(*phone, wire.Opcode, []byte) <-chan struct{} { panic("oops") },
		"exits":  func(*phone, wire.Opcode, []byte) <-chan struct{} { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			x := answering(receive)
			st := newSite(t, x, nil)
			token := st.open()
			st.ndjson(token, "[1]\n[2]").want(t, 408)
			if err := x.last().reason(t); !isClosed(err, 1011) {
				t.Errorf("reason %v", err)
			}
			st.post(token, "[3]").want(t, 410)
		})
	}
}

func TestOrigins(t *testing.T) {
	check, err := transport.Origins("https://example.com")
	if err != nil {
		t.Fatal(err)
	}
	st := newCheckedSite(t, nil, transport.Checks{Origin: check})
	token := st.open()
	good := []string{"Origin", "https://example.com"}
	bad := []string{"Origin", "https://example.org"}
	fetch := func(site string) []string { return []string{"Sec-Fetch-Site", site} }
	for _, tt := range []struct {
		method string
		header []string
		status int // in the envelope, or 0 for HTTP 200
		origin string
	}{
		{"GET", nil, 410, "*"},
		{"GET", good, 410, "https://example.com"},
		{"GET", bad, 403, "*"},
		{"GET", []string{"Origin", "null"}, 403, "*"},
		{"GET", fetch("cross-site"), 403, "*"},
		{"GET", append(fetch("same-origin"), "Sec-Fetch-Mode", "no-cors"), 403, "*"},
		{"GET", fetch("same-origin"), 410, "*"},
		{"GET", []string{"Referer", "https://example.com/room"}, 410, "*"},
		{"GET", []string{"Referer", "https://example.org/room"}, 403, "*"},
		{"POST", nil, 200, "*"},
		{"POST", good, 200, "https://example.com"},
		{"POST", append(fetch("cross-site"), good...), 200, "https://example.com"},
		{"POST", bad, 403, "*"},
		{"POST", fetch("cross-site"), 403, "*"},
		{"POST", fetch("same-site"), 403, "*"},
		{"POST", fetch("same-origin"), 200, "*"},
		{"POST", fetch("none"), 200, "*"},
		{"OPTIONS", good, 0, "https://example.com"},
		{"OPTIONS", bad, 403, "*"},
	} {
		a := ask{method: tt.method, header: tt.header}
		if tt.method == "POST" {
			a.token, a.body = token, "[1]"
		}
		r := st.do(a)
		if r.http != 200 || r.Status != tt.status || r.header.Get("Access-Control-Allow-Origin") != tt.origin || r.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %v: %v, header %v", tt.method, tt.header, r, r.header)
		}
		if tt.status == 403 && r.body != `{"status":403}` {
			t.Errorf("%s %v: %v", tt.method, tt.header, r)
		}
		if vary := r.header.Get("Vary"); (vary == "Origin") != (tt.origin != "*") {
			t.Errorf("%s %v: Vary %q", tt.method, tt.header, vary)
		}
	}
}

func TestSkippedOriginCheck(t *testing.T) {
	st := newCheckedSite(t, nil, transport.Checks{InsecureSkipOriginCheck: true})
	r := st.do(ask{method: "POST", token: st.open(), body: "[1]", header: []string{"Sec-Fetch-Site", "cross-site"}})
	r.want(t, 200)
}

// TestChecksWithOtherStatus has what is wrong before there is a protocol.
func TestChecksWithOtherStatus(t *testing.T) {
	st := newSite(t, nil, nil)
	st.do(ask{query: "&a=%ff"}).wantHTTP(t, http.StatusBadRequest)
	st.do(ask{query: "&a=" + strings.Repeat("x", 8<<10)}).wantHTTP(t, http.StatusRequestURITooLong)
	var many []string
	for i := range 64 + 1 {
		many = append(many, fmt.Sprintf("X-%d", i), "x")
	}
	st.do(ask{header: many}).wantHTTP(t, http.StatusRequestHeaderFieldsTooLarge)
}

// TestMountsAreApart uses a token at another mount of the same server.
func TestMountsAreApart(t *testing.T) {
	srv := testServer(t, nil)
	a, b := serve(t, srv, nil, nil), serve(t, srv, nil, nil)
	token := a.open()
	b.post(token, "[1]").want(t, 410)
	b.poll(token).want(t, 410)
	a.post(token, "[1]").want(t, 200)
}

func TestBadOptions(t *testing.T) {
	s := testServer(t, nil)
	for _, opts := range []Options{
		{Window: -2}, {Window: option.Unlimited}, {Window: 48 * time.Hour}, {PubSubTimeout: option.Unlimited},
		{MaxBody: -2}, {MaxBatch: -2}, {MaxBufferBytes: -2}, {MaxBufferMessages: -2},
		{MaxSessionsPerAddress: -2}, {TokenAge: -2}, {BodyTimeout: -2}, {WriteTimeout: -2},
	} {
		if h, err := s.Handler(&exchange{}, nil, &opts); err == nil || h != nil {
			t.Errorf("%+v: no error", opts)
		}
	}
}
