package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/unexported"
)

func TestChecksRun(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/vars/acme/ws/9?vsn=2.0.0&tenant=q&tenant[x]=1&zz=1", nil)
	info, err := (&Checks{}).run(r, map[string]string{"tenant": "acme", "x": "9"}, webSocket)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Params{"tenant": "acme", "x": "9", "vsn": "2.0.0", "zz": "1"}); !reflect.DeepEqual(info.Params, want) {
		t.Errorf("params = %v, want %v", info.Params, want)
	}
	if info.Transport != "websocket" {
		t.Errorf("transport = %q", info.Transport)
	}
}

// Each request fails its own check and all later ones, so that the error tells the order.
func TestChecksOrder(t *testing.T) {
	checks := &Checks{AuthToken: true, Subprotocols: []string{"foo"}, Origin: mustOrigins(t, "//example.com")}
	type request struct {
		query, origin, protocol string
		vars                    map[string]string
	}
	tests := []struct {
		name   string
		in     request
		status int
		err    error
	}{
		{"query", request{"x=%ff", "null", bearer + "!", nil}, 400, errQueryNotUTF8},
		{"pairs", request{strings.Repeat("a&", 65), "null", bearer + "!", nil}, 400, errTooManyParams},
		{"depth", request{"a" + strings.Repeat("[]", 33), "null", bearer + "!", nil}, 400, errParamsTooDeep},
		{"path variable", request{"", "null", bearer + "!", map[string]string{"v": "\xff"}}, 400, refused.ErrPathNotUTF8},
		{"origin", request{"", "null", bearer + "!", nil}, 403, ErrOrigin},
		{"token", request{"", "http://example.com", "x, " + bearer + "!", nil}, 403, refused.ErrTokenForm},
		{"subprotocol", request{"", "http://example.com", "x, " + bearer, nil}, 403, refused.ErrSubprotocol},
		{"none", request{"", "http://example.com", "phoenix, " + bearer, nil}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/?"+tt.in.query, nil)
			r.Header.Set("Origin", tt.in.origin)
			r.Header.Set("Sec-WebSocket-Protocol", tt.in.protocol)
			_, err := checks.run(r, tt.in.vars, webSocket)
			wantStatus(t, err, tt.status, tt.err)
		})
	}
}

// wantStatus checks what Run returned; a want of nil means no error.
func wantStatus(t *testing.T, err error, status int, want error) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Errorf("error = %v", err)
		}
		return
	}
	var e *StatusError
	if !errors.As(err, &e) || e.Status != status || !errors.Is(err, want) {
		t.Errorf("error = %v, want %d for %v", err, status, want)
	}
}

func TestChecksSize(t *testing.T) {
	lines := func(n int) http.Header {
		h := http.Header{}
		for i := range n {
			h.Add(fmt.Sprintf("H-%d", i%40), "v")
		}
		return h
	}
	// One line of exactly n bytes, separators included.
	size := func(n int) http.Header {
		return http.Header{"Name": {strings.Repeat("v", n-len("Name: \r\n"))}}
	}
	path := func(n int) string { return "/" + strings.Repeat("p", n-1) }
	tests := []struct {
		name   string
		target string
		header http.Header
		status int
		err    error
	}{
		{"longest URL", path(maxURL), nil, 0, nil},
		{"URL too long", path(maxURL + 1), nil, 414, refused.ErrURLTooLong},
		{"query too long", "/?" + strings.Repeat("q", maxURL), nil, 414, refused.ErrURLTooLong},
		{"most lines", "/", lines(maxHeaders), 0, nil},
		{"too many lines", "/", lines(maxHeaders + 1), 431, refused.ErrHeaderTooLarge},
		{"one name many times", "/", http.Header{"A": make([]string, maxHeaders+1)}, 431, refused.ErrHeaderTooLarge},
		{"most bytes", "/", size(maxHeaderBytes), 0, nil},
		{"too many bytes", "/", size(maxHeaderBytes + 1), 431, refused.ErrHeaderTooLarge},
		{"long name", "/", http.Header{strings.Repeat("N", maxHeaderBytes): {""}}, 431, refused.ErrHeaderTooLarge},
	}
	for _, tt := range tests {
		for _, transport := range []*unexported.Manner{webSocket, longPoll} {
			t.Run(tt.name+" "+transport.Transport, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodGet, tt.target, nil)
				r.Header = tt.header
				_, err := (&Checks{}).run(r, nil, transport)
				wantStatus(t, err, tt.status, tt.err)
			})
		}
	}

	t.Run("request of a client", func(t *testing.T) {
		r, err := http.NewRequest(http.MethodGet, "http://example.com/"+strings.Repeat("%20", maxURL/3+1), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&Checks{}).run(r, nil, webSocket)
		wantStatus(t, err, 414, refused.ErrURLTooLong)
	})
}

func TestChecksOrigin(t *testing.T) {
	tests := []struct {
		name   string
		checks Checks
		origin string
		ok     bool
	}{
		{"default, same", Checks{}, "http://example.com", true},
		{"default, other", Checks{}, "http://evil.test", false},
		{"default, null", Checks{}, "null", false},
		{"default, other scheme", Checks{}, "https://example.com", false},
		{"default behind a proxy", Checks{Scheme: func(*http.Request) string { return "https" }}, "https://example.com", true},
		{"configured", Checks{Origin: mustOrigins(t, "//a.test")}, "http://a.test", true},
		{"configured, same", Checks{Origin: mustOrigins(t, "//a.test")}, "http://example.com", false},
		{"skipped", Checks{InsecureSkipOriginCheck: true}, "http://evil.test", true},
		{"skipped, null", Checks{InsecureSkipOriginCheck: true}, "null", true},
		{"skipped, configured", Checks{InsecureSkipOriginCheck: true, Origin: OriginFunc(func(*url.URL, *http.Request) bool { return false })}, "x", true},
	}
	for _, tt := range tests {
		for _, transport := range []*unexported.Manner{webSocket, longPoll} {
			t.Run(tt.name+" "+transport.Transport, func(t *testing.T) {
				r := originRequest("http://example.com/", tt.origin)
				_, err := tt.checks.run(r, nil, transport)
				want := ErrOrigin
				if tt.ok {
					want = nil
				}
				wantStatus(t, err, http.StatusForbidden, want)
			})
		}
	}
}

func TestChecksLongPoll(t *testing.T) {
	tests := []struct {
		name  string
		auth  bool
		lines []string
		want  string
		ok    bool
	}{
		{"raw", true, []string{"raw tok"}, "raw tok", true},
		{"not decoded", true, []string{bearer + "YWJj"}, bearer + "YWJj", true},
		{"two", true, []string{"one", "two"}, "", false},
		{"twice the same", true, []string{"one", "one"}, "one", true},
		{"empty", true, []string{""}, "", true},
		{"none", true, nil, "", false},
		{"off", false, []string{"raw tok"}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, l := range tt.lines {
				r.Header.Add("X-Phoenix-AuthToken", l)
			}
			// Subprotocols are a matter of WebSocket.
			r.Header.Set("Sec-WebSocket-Protocol", bearer+"!")
			c := &Checks{AuthToken: tt.auth, Subprotocols: []string{"foo"}}
			info, err := c.run(r, nil, longPoll)
			if err != nil {
				t.Fatal(err)
			}
			if (info.AuthToken != nil) != tt.ok || tt.ok && *info.AuthToken != tt.want {
				t.Errorf("AuthToken = %v, want %q, %v", info.AuthToken, tt.want, tt.ok)
			}
			if info.Subprotocol != "" || info.Transport != "longpoll" {
				t.Errorf("Subprotocol = %q, Transport = %q", info.Subprotocol, info.Transport)
			}
		})
	}
}

// Over WebSocket the header of long-poll means nothing.
func TestChecksTokenHeaderIsLongPollOnly(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Phoenix-AuthToken", "raw")
	info, err := (&Checks{AuthToken: true}).run(r, nil, webSocket)
	if err != nil {
		t.Fatal(err)
	}
	if info.AuthToken != nil {
		t.Errorf("token %q", *info.AuthToken)
	}
}

// Run is called by many requests at once; the race detector watches.
func TestChecksConcurrent(t *testing.T) {
	c := &Checks{AuthToken: true, Subprotocols: make([]string, 1, 8), Origin: mustOrigins(t, "//example.com")}
	c.Subprotocols[0] = "foo"
	done := make(chan error)
	for i := range 8 {
		go func() {
			r := originRequest("http://example.com/?a[]=1", "https://example.com")
			r.Header.Set("Sec-WebSocket-Protocol", "foo, "+bearer+"YWJj")
			info, err := c.run(r, map[string]string{"n": fmt.Sprint(i)}, webSocket)
			if err == nil && (info.Subprotocol != "foo" || *info.AuthToken != "abc" || info.Params["n"] != fmt.Sprint(i)) {
				err = fmt.Errorf("info of %d: %q", i, info.Params)
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestStatusErrorText(t *testing.T) {
	err := &StatusError{Status: 403, Err: ErrOrigin}
	if got, want := err.Error(), "transport: origin not allowed (status 403)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
