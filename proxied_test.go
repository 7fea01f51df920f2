package bennu_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
)

// TestWarnOfProxy has connections come through a proxy of which the endpoint knows nothing.
func TestWarnOfProxy(t *testing.T) {
	const message = "connections come through a proxy, and all count as its address"
	ask := func(s *server, path, from string, lines ...string) {
		r := httptest.NewRequest(http.MethodGet, "http://example.com"+path, nil)
		r.RemoteAddr = from
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	const ws, lp = "/socket/websocket?vsn=2.0.0", "/socket/longpoll?vsn=2.0.0"
	for name, c := range map[string]struct {
		path, from string
		lines      []string
		options    *bennu.EndpointOptions
		times      int
		warned     bool
	}{
		"loopback":             {ws, "127.0.0.1:1", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 40, true},
		"private":              {ws, "10.1.2.3:1", []string{"Forwarded: for=192.0.2.1"}, nil, 40, true},
		"IPv6":                 {ws, "[fd00::1]:1", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 40, true},
		"a carrier's":          {ws, "100.64.0.9:1", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 40, true},
		"long polling":         {lp, "127.0.0.1:1", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 40, true},
		"few":                  {ws, "127.0.0.1:1", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 15, false},
		"polls of one session": {lp + "&token=x", "127.0.0.1:1", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 40, false},
		"no proxy":             {ws, "127.0.0.1:1", nil, nil, 40, false},
		"a public address":     {ws, "192.0.2.1:1", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 40, false},
		"no address":           {ws, "@", []string{"X-Forwarded-For: 192.0.2.1"}, nil, 40, false},
		"told apart": {ws, "127.0.0.1:1", []string{"X-Forwarded-For: 192.0.2.1"}, &bennu.EndpointOptions{Limits: bennu.NodeLimits{
			ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Forwarded-For") }}}, 40, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, one("*", rooms()), overBoth, c.options)
			for range c.times {
				ask(s, c.path, c.from, c.lines...)
			}
			lines := s.log.about(message)
			if warned := len(lines) == 1; warned != c.warned || len(lines) > 1 {
				t.Fatalf("%d lines: %q", len(lines), lines)
			}
			if c.warned && !strings.Contains(lines[0], "ClientAddress") {
				t.Errorf("the line names no option: %s", lines[0])
			}
		})
	}
	t.Run("from several", func(t *testing.T) {
		s := serve(t, one("*", rooms()), overBoth, nil)
		for i := range 40 {
			ask(s, ws, []string{"10.0.0.1:1", "10.0.0.2:1"}[i%2], "X-Forwarded-For: 192.0.2.1")
		}
		if lines := s.log.about(message); len(lines) != 0 {
			t.Errorf("%q", lines)
		}
	})
}
