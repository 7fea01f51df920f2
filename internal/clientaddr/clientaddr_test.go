package clientaddr

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOf(t *testing.T) {
	for _, tc := range []struct{ remote, header, want string }{
		{"192.0.2.1:4000", "", "192.0.2.1"},
		{"192.0.2.7", "", "192.0.2.7"},
		{"[::ffff:192.0.2.1]:4000", "", "192.0.2.1"},
		{"[2001:db8:1:2:3::4]:4000", "", "2001:db8:1:2::/64"},
		{"[2001:db8:1:2:ffff::1%eth0]:80", "", "2001:db8:1:2::/64"},
		{"2001:db8::1", "", "2001:db8::/64"},
		{"[fe80::1%eth0]:4000", "", "fe80::/64"},
		{"192.0.2.1:4000", "198.51.100.7", "198.51.100.7"},
		{"192.0.2.1:4000", "198.51.100.7:99", "198.51.100.7"},
		{"192.0.2.1:4000", "2001:db8:1:2::9", "2001:db8:1:2::/64"},
		{"192.0.2.1:4000", "[2001:db8:1:2::9]:99", "2001:db8:1:2::/64"},
		{"192.0.2.1:4000", "user 7", "?user 7"},
		{"@", "", "?@"},
		{"", "", "?"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tc.remote
		r.Header.Set("X-Client", tc.header)
		if got := Of(r, func(r *http.Request) string { return r.Header.Get("X-Client") }); got != tc.want {
			t.Errorf("%q, %q: %q, want %q", tc.remote, tc.header, got, tc.want)
		}
		if tc.header == "" && Of(r, nil) != tc.want {
			t.Errorf("%q without a function: %q, want %q", tc.remote, Of(r, nil), tc.want)
		}
	}
	if n := len(Of(&http.Request{}, func(*http.Request) string { return string(make([]byte, 1<<20)) })); n != 65 {
		t.Errorf("%d bytes are kept of an address", n)
	}
}
