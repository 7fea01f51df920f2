package transport

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestConnectInfo(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://example.com:8443/so%2Fcket/websocket?vsn=2.0.0&a=%20", nil)
	r.RemoteAddr = "192.0.2.1:4000"
	r.Header = http.Header{
		"Cookie":                {"id=secret"},
		"X-B":                   {"2", "1"},
		"X-A":                   {"3"},
		"Xylophone":             {"no"},
		"Traceparent":           {"00-1"},
		"Tracestate":            {"a=1", "b=2"},
		"Tracestatement":        {"no"},
		"Sec-Websocket-Key":     {"k"},
		"Sec-Websocket-Version": {"13"},
		"User-Agent":            {"ua", "second"},
		protocolHeader:          {"phoenix"},
	}
	info := newConnectInfo(r, webSocket, Params{"vsn": "2.0.0"})

	if info.Transport != "websocket" || info.Params["vsn"] != "2.0.0" || info.AuthToken != nil || info.Subprotocol != "" {
		t.Errorf("fields: %#v", *info)
	}
	if got := info.PeerAddr(); got != "192.0.2.1:4000" {
		t.Errorf("PeerAddr = %q", got)
	}
	if info.TLS() != r.TLS || info.TLS() == nil {
		t.Error("TLS is not that of the request")
	}
	want := http.Header{
		"X-A": {"3"}, "X-B": {"2", "1"},
		"Traceparent": {"00-1"}, "Tracestate": {"a=1", "b=2"},
		"Sec-Websocket-Key": {"k"}, protocolHeader: {"phoenix"}, "Sec-Websocket-Version": {"13"},
		"User-Agent": {"ua", "second"},
	}
	if got := info.Header(); !reflect.DeepEqual(got, want) {
		t.Errorf("Header = %q, want %q", got, want)
	}
	info.Header()["X-B"][0] = "changed"
	if r.Header["X-B"][0] != "2" {
		t.Error("Header is not a copy")
	}
	u := info.URI()
	if got, want := u.String(), "https://example.com:8443/so%2Fcket/websocket?vsn=2.0.0&a=%20"; got != want {
		t.Errorf("URI = %s, want %s", got, want)
	}
	u.Path = "/changed"
	if info.URI().Path != "/so/cket/websocket" || r.URL.Path != "/so/cket/websocket" {
		t.Error("URI is not a copy")
	}
}

func TestConnectInfoWithoutHeaders(t *testing.T) {
	bare := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, info := range map[string]*ConnectInfo{"zero": {}, "bare": newConnectInfo(bare, longPoll, nil)} {
		if len(info.Header()) != 0 || info.TLS() != nil {
			t.Errorf("%s: headers or TLS from nowhere", name)
		}
		if info.URI() == nil {
			t.Errorf("%s: no URI", name)
		}
	}
	if (&ConnectInfo{}).PeerAddr() != "" {
		t.Error("zero: an address from nowhere")
	}
}

// A ConnectInfo that ends up in a log tells nothing that was sent.
func TestConnectInfoKeepsSecrets(t *testing.T) {
	const canary = "canary"
	r := httptest.NewRequest(http.MethodGet, "/?token="+canary, nil)
	r.Header.Set("Cookie", canary)
	r.Header.Set("X-Secret", canary)
	token := canary
	info := newConnectInfo(r, webSocket, Params{"token": canary})
	info.AuthToken = &token
	info.TLS()

	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %q\n", info, info, info, info, info)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("connect", "info", info)
	slog.New(slog.NewTextHandler(&out, nil)).Info("connect", "info", info)
	if strings.Contains(out.String(), canary) {
		t.Errorf("told:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "ConnectInfo(websocket)") {
		t.Errorf("no name:\n%s", out.String())
	}
}

// Requests without a proxy function tell the scheme from the connection.
func TestConnectInfoScheme(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
	r.Header.Set("X-Forwarded-Proto", "https")
	check := func(c *Checks, want string) {
		t.Helper()
		info, err := c.run(r, nil, webSocket)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.URI().Scheme; got != want {
			t.Errorf("scheme = %q, want %q", got, want)
		}
	}
	check(&Checks{}, "http")
	check(&Checks{Scheme: func(r *http.Request) string { return r.Header.Get("X-Forwarded-Proto") }}, "https")
	check(&Checks{Scheme: func(*http.Request) string { return "http, WSS" }}, "https")
	r.TLS = &tls.ConnectionState{}
	check(&Checks{}, "https")
}

// Params are plain data.
func TestParamsMarshal(t *testing.T) {
	params, err := parseQuery("a[b]=1&c[]=2&c[][d]=3")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(params)
	if want := `{"a":{"b":"1"},"c":["2",{"d":"3"}]}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}
