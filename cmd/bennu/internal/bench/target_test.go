package bench

import (
	"context"
	"net/netip"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		url              string
		addr, host, path string
	}{
		{"ws://127.0.0.1:4000/socket", "127.0.0.1:4000", "127.0.0.1:4000", "/socket/websocket?vsn=2.0.0"},
		{"ws://127.0.0.1:4000/socket/websocket", "127.0.0.1:4000", "127.0.0.1:4000", "/socket/websocket?vsn=2.0.0"},
		{" WS://127.0.0.1:4000/socket ", "127.0.0.1:4000", "127.0.0.1:4000", "/socket/websocket?vsn=2.0.0"},
		{"http://127.9.9.9/a/", "127.9.9.9:80", "127.9.9.9", "/a/websocket?vsn=2.0.0"},
		{"ws://[::1]:4000", "[::1]:4000", "[::1]:4000", "/websocket?vsn=2.0.0"},
		{"ws://localhost:4000/s?token=a%20b", "127.0.0.1:4000", "localhost:4000", "/s/websocket?token=a%20b&vsn=2.0.0"},
		{"ws://127.0.0.1:4000/s?vsn=2.0.0&x=1", "127.0.0.1:4000", "127.0.0.1:4000", "/s/websocket?vsn=2.0.0&x=1"},
		{"ws://[::ffff:127.0.0.1]:1/s", "127.0.0.1:1", "[::ffff:127.0.0.1]:1", "/s/websocket?vsn=2.0.0"},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			got, err := parseTarget(context.Background(), tt.url, false)
			if err != nil {
				t.Fatal(err)
			}
			if got.addr.String() != tt.addr || got.host != tt.host || got.path != tt.path || strings.Contains(got.url, "token") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestParseTargetMistakes(t *testing.T) {
	for url, want := range map[string]string{
		"":                            "cannot be read; it looks like ws://127.0.0.1:4000/socket",
		"127.0.0.1:4000":              "cannot be read",
		"ws:///socket":                "cannot be read",
		"ftp://127.0.0.1/s":           "begins with ftp://",
		"wss://127.0.0.1/s":           "bench does not use TLS",
		"ws://u:sesame@127.0.0.1/s":   "has a user",
		"ws://127.0.0.1:99999/s":      "has the port 99999, which is not a number",
		"ws://127.0.0.1/s?vsn=1.0.0":  "bench uses 2.0.0",
		"ws://192.0.2.1:4000/s":       "192.0.2.1 is not this machine (192.0.2.1): a load test can take a server down; if it is yours, add --i-own-the-target",
		"ws://[2001:db8::1]/s":        "is not this machine",
		"ws://0.0.0.0:4000/s":         "is not this machine",
		"ws://[::ffff:192.0.2.1]:1/s": "is not this machine",
	} {
		if _, err := parseTarget(context.Background(), url, false); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
	}
	if got, err := parseTarget(context.Background(), "ws://192.0.2.1:4000/s", true); err != nil || got.addr.String() != "192.0.2.1:4000" {
		t.Errorf("of one's own: %+v, %v", got, err)
	}
}

// A host name may have several addresses. One of another machine is enough to refuse it.
func TestSeveralAddresses(t *testing.T) {
	const here4, here6, mapped, away4, away6 = "127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.1", "2001:db8::1"
	for _, tt := range []struct {
		addrs           []string
		elsewhere, pick string
	}{
		{[]string{here4}, "", here4},
		{[]string{here6, here4}, "", here4},
		{[]string{here6, mapped}, "", here4},
		{[]string{here6}, "", here6},
		{[]string{here4, away4}, away4, here4},
		{[]string{here4, away6}, away6, here4},
		{[]string{away6, here4}, away6, here4},
		{[]string{here6, away4}, away4, away4},
		{[]string{away6, here6}, away6, away6},
		{[]string{here4, "::ffff:192.0.2.1"}, away4, here4},
		{[]string{here4, "::"}, "::", here4},
	} {
		var addrs []netip.Addr
		for _, a := range tt.addrs {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		got := ""
		if a := elsewhere(addrs); a.IsValid() {
			got = a.String()
		}
		if pick := preferred(addrs).String(); got != tt.elsewhere || pick != tt.pick {
			t.Errorf("%v: elsewhere %q, preferred %s; want %q and %s", tt.addrs, got, pick, tt.elsewhere, tt.pick)
		}
	}
}
