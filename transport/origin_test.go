package transport

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/weborigin"
)

func mustOrigins(t *testing.T, list ...string) OriginCheck {
	t.Helper()
	check, err := Origins(list...)
	if err != nil {
		t.Fatal(err)
	}
	return check
}

// hostOrigin is the check that EndpointOptions.Host stands for.
func hostOrigin(t *testing.T, host string) OriginCheck {
	t.Helper()
	name, err := weborigin.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	return mustOrigins(t, "//"+weborigin.Join(name, "", ""))
}

// originRequest asks for target, over TLS if it says https.
func originRequest(target string, origins ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if len(origins) > 0 {
		r.Header["Origin"] = origins
	}
	return r
}

// Every check refuses these, and every check allows a request without header.
func TestOriginDefaultDeny(t *testing.T) {
	checks := map[string]OriginCheck{
		"host": hostOrigin(t, "example.com"),
		"same": SameOrigin(nil),
		"list": mustOrigins(t, "//example.com", "https://*.example.com", "//[::1]"),
	}
	origins := []string{
		"", "null", "NULL", "file://", "file:///example.com", "example.com", "example.com:80", "word", "/", "//", "///example.com",
		"http:", "http://", "http:///", "http://:80", "http:example.com", "http:/example.com", "http:///example.com",
		"http://evil.test", "http://evil.test/example.com", "http://evil.test/.example.com", "http://evil.test?example.com", "http://evil.test#example.com", "http://evil.test#.example.com",
		"http://example.com@evil.test", "http://user@example.com", "http://user:pw@example.com", "http://@example.com", "http://evil.test:pw@example.com",
		"http://evilexample.com", "http://example.com.evil.test", "http://example.comm", "http://xample.com", "http://example-com",
		"http://example.com.", "http://a.example.com.", "http://.example.com", "http://faceboo\u212a.com",
		`http://evil.test\.example.com`, `http://evil.test\@example.com`, "http://evil.test%2eexample.com", "http://example%2ecom", "http://example.com%00", "http://example.com\x00", "http://evil.test%00.example.com",
		"http://example.com https://example.com", "http://example.com,http://evil.test", "http://evil.test, http://example.com", "http://example.com\t", "http://example.com\n",
		"http://example.com:x", "http://example.com:0", "http://example.com:65536", "http://[::1%25eth0]", "http://example.com:-1", "http://example.com:80:80", "http://[::1", "http://::1", "http://[example.com]", "http://[::2]", "http://[::1]evil.test",
		"http://xn--exmple-cua.com", "http://ex\u0430mple.com", "http://example\u3002com", "http://*", "http://*.com", "http://127.0.0.1", "http://2130706433",
		"javascript://evil.test/example.com", "data:text/html,//example.com", "blob:http://example.com", "about:blank",
	}
	for name, check := range checks {
		for _, origin := range origins {
			if check(originRequest("http://example.com/socket/websocket", origin)) {
				t.Errorf("%s: %q is allowed", name, origin)
			}
		}
		if !check(originRequest("http://example.com/socket/websocket")) {
			t.Errorf("%s: no header is refused", name)
		}
	}
}

func TestHostOrigin(t *testing.T) {
	tests := []struct {
		host, origin string
		want         bool
	}{
		{"localhost", "http://localhost", true},
		{"localhost", "https://localhost", true},
		{"localhost", "http://localhost:4000", true},
		{"localhost", "HTTP://localhost", true},
		{"localhost", "app://localhost", true},
		{"localhost", "//localhost", true},
		{"localhost", "http://localhost/", true},
		{"localhost", "http://LOCALHOST", true},
		{"localhost", "wss://localhost", true},
		{"localhost", "http://localhost.", false},
		{"localhost", "http://127.0.0.1", false},
		{"localhost", "http://a.localhost", false},
		{"Example.com", "https://Example.com", true},
		{"Example.com", "https://example.com", true},
		{" example.com\t", "https://example.com", true},
		{"::1", "http://[::1]:4000", true},
		{"[::1]", "http://[::1]:4000", true},
		{"[0:0:0:0:0:0:0:1]", "http://[::1]", true},
		{"::1", "http://[0:0::1]", true},
		{"kiosk", "http://kios\u212a", false},
		{"xn--bcher-kva.example", "https://xn--bcher-kva.example", true},
		{"xn--bcher-kva.example", "https://bücher.example", false},
	}
	for _, tt := range tests {
		if got := hostOrigin(t, tt.host)(originRequest("http://other.test/", tt.origin)); got != tt.want {
			t.Errorf("host %q: %q = %v, want %v", tt.host, tt.origin, got, tt.want)
		}
	}
}

func TestSameOrigin(t *testing.T) {
	tests := []struct {
		target, origin string
		want           bool
	}{
		{"http://example.com/", "http://example.com", true},
		{"http://example.com/", "HTTP://example.com", true},
		{"http://example.com/", "http://example.com:80", true},
		{"http://example.com:80/", "http://example.com", true},
		{"http://example.com:/", "http://example.com", true},
		{"http://example.com/", "https://example.com", false},
		{"http://example.com/", "http://example.com:81", false},
		{"http://example.com/", "http://a.example.com", false},
		{"http://example.com/", "//example.com", false},
		{"http://example.com/", "ws://example.com", true},
		{"http://example.com/", "wss://example.com", false},
		{"https://example.com/", "WSS://example.com:443", true},
		{"http://example.com/", "http://EXAMPLE.com:080", true},
		{"http://Example.com/", "http://example.com", true},
		{"http://[0:0:0:0:0:0:0:1]:80/", "http://[::1]", true},
		{"http://example.com./", "http://example.com.", true},
		{"http://example.com:4000/", "http://example.com:4000", true},
		{"http://example.com:4000/", "http://example.com", false},
		{"http://example.com:443/", "https://example.com", false},
		{"https://example.com/", "https://example.com", true},
		{"https://example.com/", "https://example.com:443", true},
		{"https://example.com:443/", "https://example.com", true},
		{"https://example.com/", "http://example.com", false},
		{"https://example.com/", "http://example.com:443", false},
		{"https://example.com:80/", "https://example.com", false},
		{"http://[::1]:4000/", "http://[::1]:4000", true},
		{"http://[::1]/", "http://[::1]:80", true},
		{"http://[::1]/", "http://[::2]", false},
		{"http://127.0.0.1:4000/", "http://localhost:4000", false},
	}
	for _, tt := range tests {
		if got := SameOrigin(nil)(originRequest(tt.target, tt.origin)); got != tt.want {
			t.Errorf("%s from %q = %v, want %v", tt.target, tt.origin, got, tt.want)
		}
	}
}

func TestSameOriginHostileHost(t *testing.T) {
	for _, host := range []string{"", "evil.test@example.com", "example.com@evil.test", "example.com/", "example.com, evil.test", "example.com.", "::1", "example.com:99999", "example.com:x"} {
		r := originRequest("http://x.test/", "http://example.com")
		r.Host = host
		if SameOrigin(nil)(r) {
			t.Errorf("Host %q is taken for example.com", host)
		}
	}
}

func TestSameOriginBehindProxy(t *testing.T) {
	check := SameOrigin(func(r *http.Request) string { return r.Header.Get("X-Forwarded-Proto") })
	tests := []struct {
		proto, origin string
		want          bool
	}{
		{"https", "https://example.com", true},
		{"HTTPS", "https://example.com", true},
		{"https", "http://example.com", false},
		{"http", "http://example.com", true},
		{"http", "https://example.com", false},
		{"", "http://example.com", false},
		{"", "//example.com", false},
		{"ftp", "ftp://example.com", false},
		{"wss", "https://example.com", true},
		{"WSS", "https://example.com", true},
		{"wss", "http://example.com", false},
		{"ws", "http://example.com", true},
		{" https ", "https://example.com", true},
		{"https, https", "https://example.com", true},
		{"https,http", "https://example.com", false}, // the nearest proxy says http
		{"https,http", "http://example.com", true},
		{"http, wss", "https://example.com", true},
		{"http, wss", "http://example.com", false},
		{"https,", "https://example.com", true},
		{",", "http://example.com", false},
	}
	for _, tt := range tests {
		r := originRequest("http://example.com/", tt.origin)
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		if got := check(r); got != tt.want {
			t.Errorf("%q from %q = %v, want %v", tt.proto, tt.origin, got, tt.want)
		}
	}
	// Unless configured, the header of a client means nothing.
	r := originRequest("http://example.com/", "https://example.com")
	r.Header.Set("X-Forwarded-Proto", "https")
	if SameOrigin(nil)(r) {
		t.Error("the scheme was taken from the client")
	}
}

func TestOrigins(t *testing.T) {
	fixture := []string{"//example.com", "https://*.wild.test", "http://port.test:81"}
	tests := []struct {
		list   []string
		origin string
		want   bool
	}{
		{fixture, "https://example.com:8443", true},
		{fixture, "http://example.com", true},
		{fixture, "app://example.com", true},
		{fixture, "//example.com", true},
		{fixture, "https://a.example.com", false},
		{fixture, "https://wild.test", true},
		{fixture, "https://wild.test:443", true},
		{fixture, "HTTPS://wild.test", true},
		{fixture, "https://wild.test:444", false},
		{fixture, "https://a.wild.test", true},
		{fixture, "https://a.b.wild.test", true},
		{fixture, "https://a.b.wild.test:8443", false},
		{fixture, "http://a.wild.test", false},
		{fixture, "wss://a.wild.test", true},
		{fixture, "ws://a.wild.test", false},
		{fixture, "//a.wild.test", false},
		{fixture, "https://evilwild.test", false},
		{fixture, "https://evil-wild.test", false},
		{fixture, "https://wild.test.evil.test", false},
		{fixture, "https://.wild.test", false},
		{fixture, "https://a.wild.test.", false},
		{fixture, "https://A.wild.test", true},
		{fixture, "https://a.WILD.test", true},
		{fixture, "http://port.test:81", true},
		{fixture, "http://port.test", false},
		{fixture, "http://port.test:80", false},
		{fixture, "http://port.test:8", false},
		{fixture, "http://port.test:811", false},
		{fixture, "https://port.test:81", false},
		{[]string{"//port.test:81"}, "https://port.test:81", true},
		{[]string{"//port.test:80"}, "http://port.test", true},
		{[]string{"//port.test:80"}, "ws://port.test", true},
		{[]string{"//port.test:443"}, "https://port.test", true},
		{[]string{"//port.test:443"}, "wss://port.test", true},
		{[]string{"//port.test:443"}, "http://port.test", false},
		{[]string{"//port.test:443"}, "app://port.test", false},
		{[]string{"http://port.test"}, "http://port.test:80", true},
		{[]string{"http://port.test:80"}, "http://port.test", true},
		{[]string{"http://port.test/"}, "http://port.test", true},
		{[]string{"HTTP://port.test"}, "http://port.test", true},
		{[]string{"app://port.test"}, "app://port.test", true},
		{[]string{"app://port.test"}, "app://port.test:7", true},
		{[]string{"app://port.test"}, "http://port.test", false},
		{[]string{"//Example.com"}, "http://example.com", true},
		{[]string{"//example.com"}, "http://EXAMPLE.com", true},
		{[]string{"WSS://Example.com"}, "https://example.com", true},
		{[]string{"ws://example.com"}, "https://example.com", false},
		{[]string{"https://example.com:443"}, "https://example.com", true},
		{[]string{"https://example.com:0443"}, "https://example.com", true},
		{[]string{" https://example.com\n"}, "https://example.com", true},
		{[]string{"//[0:0:0:0:0:0:0:1]"}, "http://[::1]", true},
		{[]string{"http://[2001:DB8::00A0]:4000"}, "http://[2001:db8::a0]:4000", true},
		{[]string{"//[::1]"}, "http://[0::1]", true},
		{[]string{"//[::1]"}, "http://[::1]:4000", true},
		{[]string{"http://[::1]:4000"}, "http://[::1]:4000", true},
		{[]string{"http://[::1]:4000"}, "http://[::1]", false},
		{[]string{"//127.0.0.1"}, "http://127.0.0.1", true},
		{[]string{"//*.test"}, "http://a.test", true},
		{[]string{"//*.co.test"}, "http://co.test", true},
		{[]string{"//*.co.test"}, "http://test", false},
		{[]string{"//a.example.com", "//b.example.com"}, "http://b.example.com", true},
		{[]string{"//a.example.com", "//b.example.com"}, "http://c.example.com", false},
	}
	for _, tt := range tests {
		if got := mustOrigins(t, tt.list...)(originRequest("http://other.test/", tt.origin)); got != tt.want {
			t.Errorf("%q of %q = %v, want %v", tt.origin, tt.list, got, tt.want)
		}
	}
}

func TestOriginsErrors(t *testing.T) {
	tests := []struct {
		list []string
		want string
	}{
		{nil, "is empty: name at least one"},
		{[]string{"example.com"}, `"example.com" has no host: write it with two slashes`},
		{[]string{"//ok.test", "localhost"}, `"localhost" has no host`},
		{[]string{""}, `"" has no host`},
		{[]string{"https://"}, "has no host"},
		{[]string{"https://:443"}, "has no host"},
		{[]string{"null"}, "has no host, as pages from files have none"},
		{[]string{"file:///x"}, "has no host, as pages from files have none"},
		{[]string{"*"}, "InsecureSkipOriginCheck: true"},
		{[]string{"localhost:4000"}, `has no host: write it with two slashes, like "//localhost:4000" or "https://localhost:4000"`},
		{[]string{"https:/localhost"}, `like "//localhost" or "https://localhost"`},
		{[]string{"https://a.test,https://b.test"}, "is a list: give each origin as an argument of its own"},
		{[]string{"https://bücher.example:8443"}, `write "https://xn--bcher-kva.example:8443"`},
		{[]string{"https://*.bücher.example"}, `write "https://*.xn--bcher-kva.example"`},
		{[]string{"https://u\u0308ber.example"}, "location.origin"},
		{[]string{"https://.example.com"}, `write "https://*.example.com"`},
		{[]string{"https://example.com."}, `write "https://example.com"`},
		{[]string{"https://a..example.com"}, "empty part"},
		{[]string{"https://[fe80::1%25eth0]:4000"}, `write "https://[fe80::1]:4000"`},
		{[]string{"https://127.1"}, "four decimal numbers"},
		{[]string{"https://*.127.0.0.1"}, `below which there are no hosts: write "https://127.0.0.1"`},
		{[]string{"https://example.com:0"}, "has the port 0: write one from 1 to 65535"},
		{[]string{"https://example.com:65536"}, "has the port 65536"},
		{[]string{"*.example.com:80"}, "is not a URL"},
		{[]string{"https://a b"}, "is not a URL"},
		{[]string{"127.0.0.1:5173"}, `is not a URL: write it like "//127.0.0.1:5173" or "https://127.0.0.1:5173"`},
		{[]string{"http//x.test"}, `has no host: write it with two slashes, like "//x.test" or "https://x.test"`},
		{[]string{"http:/x.test:1/y"}, `like "//x.test:1" or "https://x.test:1"`},
		{[]string{"https://u:hush@x.test"}, `origin "https://[FILTERED]@x.test" must be a scheme, a host and a port only: remove the rest, and write "https://x.test"`},
		{[]string{"u:hush@x.test"}, `origin "[FILTERED]@x.test" has no host: write it with two slashes, like "//x.test" or "https://x.test"`},
		{[]string{"https://u:hu/sh@x.test"}, `origin "https://[FILTERED]@x.test" is not a URL`},
		{[]string{"https://example.com:port"}, "is not a URL"},
		{[]string{"https://example.com:*"}, "is not a URL"},
		{[]string{"//*"}, "may use * only as its whole first label"},
		{[]string{"//*."}, "may use * only"},
		{[]string{"//*.*.example.com"}, "may use * only"},
		{[]string{"//a.*.example.com"}, "may use * only"},
		{[]string{"//a*.example.com"}, "may use * only"},
		{[]string{"//*example.com"}, "may use * only"},
		{[]string{"https://user@example.com"}, "remove the rest"},
		{[]string{"https://example.com/path"}, "remove the rest"},
		{[]string{"https://example.com?q"}, "remove the rest"},
		{[]string{"https://example.com#f"}, "remove the rest"},
	}
	for _, tt := range tests {
		check, err := Origins(tt.list...)
		if err == nil || check != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Origins(%q): error = %v, want one with %q", tt.list, err, tt.want)
		}
	}
}

func TestOriginFunc(t *testing.T) {
	tests := []struct {
		origin, want string
	}{
		{"https://Example.com:8443", "https://example.com:8443"},
		{"wss://example.com:443/x", "https://example.com/x"},
		{"http://[0::1]", "http://[::1]"},
		{"HTTPS://example.com", "https://example.com"},
		{"null", ""},
		{"file:///x", ""},
		{"", ""},
		{"http://a b", ""},
		{"http://good.test@evil.test", ""},
	}
	for _, tt := range tests {
		for _, answer := range []bool{true, false} {
			var got *url.URL
			r := originRequest("http://example.com/", tt.origin)
			check := OriginFunc(func(origin *url.URL, in *http.Request) bool {
				if in != r {
					t.Error("another request")
				}
				got = origin
				return answer
			})
			if check(r) != answer {
				t.Errorf("%q: the answer %v was not taken", tt.origin, answer)
			}
			if got == nil || got.String() != tt.want {
				t.Errorf("%q: called with %v, want %q", tt.origin, got, tt.want)
			}
		}
	}

	never := OriginFunc(func(*url.URL, *http.Request) bool {
		t.Error("called without a header")
		return false
	})
	if !never(originRequest("http://example.com/")) {
		t.Error("no header is refused")
	}

	defer func() {
		if recover() == nil {
			t.Error("no panic without a function")
		}
	}()
	OriginFunc(nil)
}

func TestOriginFirstHeaderOnly(t *testing.T) {
	good, evil := "http://example.com", "http://evil.test"
	checks := map[string]OriginCheck{
		"host": hostOrigin(t, "example.com"),
		"same": SameOrigin(nil),
		"list": mustOrigins(t, good),
		"func": OriginFunc(func(o *url.URL, _ *http.Request) bool { return o.Host == "example.com" }),
	}
	for name, check := range checks {
		if !check(originRequest("http://example.com/", good, evil)) {
			t.Errorf("%s: the second header was looked at", name)
		}
		if check(originRequest("http://example.com/", evil, good)) || check(originRequest("http://example.com/", "", good)) {
			t.Errorf("%s: the second header allowed a request", name)
		}
	}
}

func TestRequestScheme(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
	if got := requestScheme(r, nil); got != "http" {
		t.Errorf("plain: %q", got)
	}
	r.TLS = &tls.ConnectionState{}
	if got := requestScheme(r, nil); got != "https" {
		t.Errorf("TLS: %q", got)
	}
	for text, want := range map[string]string{"HTTP": "http", "wss": "https", " WS ": "http", "http, https": "https", "ftp": "ftp", "": ""} {
		if got := requestScheme(r, func(*http.Request) string { return text }); got != want {
			t.Errorf("function that says %q: %q", text, got)
		}
	}
}
