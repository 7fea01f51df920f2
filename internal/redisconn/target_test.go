package redisconn

import "testing"

func TestURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, addr, user, password string
		tls                       bool
	}{
		{"redis://h", "h:6379", "", "", false},
		{"redis://:p%40%2F@h:1/3", "h:1", "", "p@/", false},
		{"rediss://u:p@[::1]", "[::1]:6379", "u", "p", true},
		{"unix://u:p@/run/s", "/run/s", "u", "p", false},
	} {
		got, err := New(&Options{URL: c.url})
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if got.Addrs[0] != c.addr || got.User != (Login{c.user, c.password}) || (got.TLS != nil) != c.tls {
			t.Errorf("%s: %+v", c.url, got)
		}
	}
}
