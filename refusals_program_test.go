package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

const upgradeLines = "Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

// TestQuotedToken has functions of the program quote a token: the log has [FILTERED] for it.
func TestQuotedToken(t *testing.T) {
	lines := map[string]string{"/socket/websocket": offer("hush-hush"), "/socket/longpoll": "X-Phoenix-AuthToken: hush-hush"}
	for name, c := range map[string]struct {
		connect func(*bennu.ConnectInfo) error
		query   string
		param   bool
		kinds   []notice.Kind
	}{
		"an error":                     {func(i *bennu.ConnectInfo) error { return fmt.Errorf("cannot verify %q", *i.AuthToken) }, "", false, []notice.Kind{notice.ConnectError}},
		"busy":                         {func(i *bennu.ConnectInfo) error { return fmt.Errorf("%w: %s", transport.ErrBusy, *i.AuthToken) }, "", false, []notice.Kind{notice.ConnectBusy}},
		"a panic":                      {func(i *bennu.ConnectInfo) error { panic(fmt.Errorf("cannot parse %x", *i.AuthToken)) }, "", false, []notice.Kind{notice.WebSocketAcceptor, notice.LongPollAcceptor}},
		"a parameter":                  {func(i *bennu.ConnectInfo) error { return errors.New("cannot verify " + *i.AuthToken) }, "&user=hush-hush", true, []notice.Kind{notice.ConnectError}},
		"a parameter of the program's": {func(i *bennu.ConnectInfo) error { return fmt.Errorf("cannot verify %v", i.Params["user_token"]) }, "&user_token=hush-hush", true, []notice.Kind{notice.ConnectError}},
	} {
		for path, line := range lines {
			t.Run(name+" "+path, func(t *testing.T) {
				users := one("*", rooms())
				users.Connect = func(_ context.Context, _ *bennu.Socket, i *bennu.ConnectInfo) error { return c.connect(i) }
				o := &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}, Transports: both}
				var header []string
				if c.param {
					o.Checks.TokenParam = "user"
				} else {
					header = []string{line}
				}
				s := serve(t, users, o, nil)
				s.request(t, http.MethodGet, path+"?vsn=2.0.0"+c.query, header...)
				kind := c.kinds[0]
				if len(c.kinds) > 1 && strings.HasSuffix(path, "longpoll") {
					kind = c.kinds[1]
				}
				s.says(t, kind, "[FILTERED]")
				if all := s.log.all(); strings.Contains(all, "hush") || strings.Contains(all, fmt.Sprintf("%x", "hush-hush")) {
					t.Errorf("the token is in the log: %s", all)
				}
			})
		}
	}
}

// TestPanicsBeforeConnect has functions of the program panic that are asked before Connect.
func TestPanicsBeforeConnect(t *testing.T) {
	for name, set := range map[string]func(*bennu.SocketOptions, *bennu.EndpointOptions, func()){
		"Origin": func(o *bennu.SocketOptions, _ *bennu.EndpointOptions, f func()) {
			o.Checks.Origin = func(*http.Request) bool { f(); return true }
		},
		"Scheme": func(o *bennu.SocketOptions, _ *bennu.EndpointOptions, f func()) {
			o.Checks.Scheme = func(*http.Request) string { f(); return "http" }
		},
		"ClientAddress": func(_ *bennu.SocketOptions, e *bennu.EndpointOptions, f func()) {
			e.Limits.ClientAddress = func(*http.Request) string { f(); return "" }
		},
		"Session": func(o *bennu.SocketOptions, _ *bennu.EndpointOptions, f func()) {
			o.Checks.Session = &transport.SessionCheck{Read: func(*http.Request) (map[string]any, bool) { f(); return nil, false }, InsecureSkipCSRFCheck: true}
		},
	} {
		for _, path := range []string{"/socket/websocket", "/socket/longpoll"} {
			t.Run(name+" "+path, func(t *testing.T) {
				o, e := &bennu.SocketOptions{Transports: both}, &bennu.EndpointOptions{}
				set(o, e, func() { panic("boom") })
				s := serve(t, one("*", rooms()), o, e)
				base := strings.TrimSuffix(strings.Replace(s.url, "ws", "http", 1), "/socket/websocket?vsn=2.0.0")
				if status := s.request(t, http.MethodGet, path+"?vsn=2.0.0", "Origin: "+base); status != http.StatusInternalServerError {
					t.Errorf("answered %d", status)
				}
				s.says(t, notice.RequestCrash, "panic=boom", "refusals_program_test.go:", "mount=/socket", "transport=", "address=127.0.0.1")
			})
		}
	}
	t.Run("Fallback", func(t *testing.T) {
		s := serve(t, one("*", rooms()), nil, &bennu.EndpointOptions{Fallback: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })})
		if status := s.request(t, http.MethodGet, "/x"); status != http.StatusInternalServerError {
			t.Errorf("answered %d", status)
		}
		s.says(t, notice.FallbackCrash, "panic=boom", "refusals_program_test.go:", "path=/x")
	})
	t.Run("abort", func(t *testing.T) {
		s := serve(t, one("*", rooms()), nil, &bennu.EndpointOptions{Fallback: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })})
		base, _, _ := strings.Cut(strings.Replace(s.url, "ws", "http", 1), "/socket")
		if answer, err := http.Get(base + "/x"); err == nil {
			answer.Body.Close()
			t.Errorf("answered %s", answer.Status)
		}
		if n := s.Stats().Reasons["fallback_panic"]; n != 0 {
			t.Error("an abort is called a panic")
		}
	})
}

// TestUnmountedNames asks for sockets at wrong paths, with and without a Fallback.
func TestUnmountedNames(t *testing.T) {
	fallback := &bennu.EndpointOptions{Fallback: http.NotFoundHandler()}
	for path, c := range map[string]struct {
		options *bennu.EndpointOptions
		lines   string
		kind    notice.Kind
	}{
		"/sokcet/longpoll":               {nil, "", notice.NotMounted},
		"/sokcet/LongPoll/":              {nil, "", notice.NotMounted},
		"/sokcet/ws":                     {nil, "", notice.NotMounted},
		"/socket/longpoll":               {nil, "", notice.NoLongPoll},
		"/other/ws":                      {nil, "", notice.NoTransport},
		"/sokcet/websocket":              {nil, "", notice.NotMounted},
		"/sokcet/websocket?vsn=2.0.0":    {fallback, upgradeLines, notice.FallbackAsked},
		"/socket/x":                      {fallback, upgradeLines, notice.FallbackAsked},
		"/sokcet/longpoll?x=1&vsn=2.0.0": {fallback, "", notice.FallbackAsked},
	} {
		s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{Path: "ws"})}}, c.options)
		s.Socket("/other", one("*", rooms()), nil)
		var lines []string
		if c.lines != "" {
			lines = strings.Split(c.lines, "|")
		}
		if status := s.request(t, http.MethodGet, path, lines...); status != http.StatusNotFound {
			t.Errorf("%s: answered %d", path, status)
		}
		s.says(t, c.kind, "path=", "address=127.0.0.1")
	}
	s := serve(t, one("*", rooms()), nil, fallback)
	s.request(t, http.MethodGet, "/vite", strings.Split(upgradeLines, "|")...)
	s.request(t, http.MethodGet, "/page?vsn=2.0.0")
	if n := s.Stats().Reasons["not_mounted_fallback"]; n != 0 {
		t.Errorf("said %d times of what is no socket's", n)
	}
}

// TestTokenFaults has a token empty, twice or elsewhere: each line says what to do.
func TestTokenFaults(t *testing.T) {
	for name, c := range map[string]struct {
		path, fix string
		lines     []string
		status    int
	}{
		"elsewhere":           {"/socket/longpoll?vsn=2.0.0&token=hush-hush", "Checks.TokenParam", nil, 403},
		"empty":               {"/socket/longpoll?vsn=2.0.0", "wait with connecting", []string{"X-Phoenix-AuthToken: "}, 403},
		"two that differ":     {"/socket/longpoll?vsn=2.0.0", "these differ", []string{"X-Phoenix-AuthToken: a", "X-Phoenix-AuthToken: b"}, 403},
		"the same twice":      {"/socket/longpoll?vsn=2.0.0", "", []string{"X-Phoenix-AuthToken: a", "X-Phoenix-AuthToken: a"}, 410},
		"none, as null":       {"/socket/longpoll?vsn=2.0.0&token=null", "authToken option", nil, 403},
		"WebSocket elsewhere": {"/socket/websocket?vsn=2.0.0&token=hush-hush", "Checks.TokenParam", nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			users := one("*", rooms())
			users.Connect = bennu.Authenticate(func(context.Context, string) (int, time.Time, error) { return 1, time.Time{}, nil })
			s := serve(t, users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}, Transports: both}, nil)
			if status := s.request(t, http.MethodGet, c.path, c.lines...); status != c.status {
				t.Fatalf("answered %d", status)
			}
			if c.fix == "" {
				return
			}
			e := notice.NoAuthToken.Entry()
			eventually(t, "the line", func() bool { return len(s.log.about(e.Message)) > 0 })
			if line := s.log.about(e.Message)[0]; !strings.Contains(line, "fix=") || !strings.Contains(line, c.fix) || strings.Count(line, "fix=") != 1 {
				t.Errorf("the line lacks %q: %s", c.fix, line)
			}
			if name != "none, as null" && s.Stats().Reasons["longpoll_token"] != 0 {
				t.Error("the token is called one of a session")
			}
		})
	}
}

// TestConnectAfterItsTime has Connect return errors of its own after its context has ended.
func TestConnectAfterItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		kind   notice.Kind
		status int
	}{
		"an error": {errors.New("query failed"), notice.ConnectTimeout, 503},
		"refused":  {fmt.Errorf("banned: %w", bennu.ErrRefused), notice.ConnectRefused, 403},
		"busy":     {transport.ErrBusy, notice.ConnectTimeout, 503},
	} {
		for _, path := range []string{"/socket/websocket", "/socket/longpoll"} {
			t.Run(name+" "+path, func(t *testing.T) {
				users := one("*", rooms())
				users.Limits.ConnectTimeout = time.Millisecond
				users.Connect = func(ctx context.Context, _ *bennu.Socket, _ *bennu.ConnectInfo) error { <-ctx.Done(); return c.err }
				s := serve(t, users, &bennu.SocketOptions{Transports: both}, nil)
				if status := s.request(t, http.MethodGet, path+"?vsn=2.0.0"); status != c.status {
					t.Errorf("answered %d", status)
				}
				s.says(t, c.kind)
			})
		}
	}
}

// TestRenewQuotesToken has Renew quote the token that a client pushed.
func TestRenewQuotesToken(t *testing.T) {
	for name, c := range map[string]struct {
		renew func(string) error
		kind  notice.Kind
	}{
		"an error": {func(token string) error { return fmt.Errorf("bad %q", token) }, notice.HandlerFailed},
		"a panic":  {func(token string) error { panic("bad " + token) }, notice.RenewCrash},
	} {
		t.Run(name, func(t *testing.T) {
			users := one("*", rooms())
			users.Renew = func(_ context.Context, _ *bennu.Socket, token string) (time.Time, error) {
				return time.Time{}, c.renew(token)
			}
			s := serve(t, users, nil, nil)
			wstest.Dial(t, s.url).Push("phoenix", "access_token", `{"access_token":"hush-hush"}`)
			s.says(t, c.kind, "[FILTERED]")
			if all := s.log.all(); strings.Contains(all, "hush") {
				t.Errorf("the token is in the log: %s", all)
			}
		})
	}
}
