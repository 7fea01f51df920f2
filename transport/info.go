package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bennu-go/bennu/internal/unexported"
)

// ConnectInfo is what an application may know of the request that asks to
// connect. It is valid only while Connect runs, because it reads from
// the request; what is wanted later must be copied out. It has neither cookies
// nor the request itself: a socket is opened by any page the origin check
// allows, so cookies would prove nothing.
//
// The zero value with some fields set is a ConnectInfo for tests; its methods
// then return zero values. The methods may be called concurrently.
type ConnectInfo struct {
	// Transport is the name of the transport: "websocket", "longpoll", or that of another.
	Transport string
	// Params belong to the receiver of the ConnectInfo.
	Params Params
	// AuthToken is the token the client sent where the mount looks for it, as the
	// client gave it to its library, of any bytes: see Checks.AuthToken and
	// Checks.TokenParam. It is nil when there is none; AuthTokenErr says why.
	AuthToken *string
	// Subprotocol is what the server must echo, empty for nothing. It is never
	// the token.
	Subprotocol string
	// Session is the browser's web session; see SessionCheck. It is nil when the
	// mount does not ask for it, or the request may not have it.
	Session map[string]any

	r        *http.Request
	manner   *unexported.Manner
	scheme   func(*http.Request) string
	protocol []string // Sec-WebSocket-Protocol without the token

	tokenParam string // Checks.TokenParam
	tokenErr   error  // why AuthToken is nil, when the request alone does not say it
}

// newConnectInfo describes r. It makes no checks and takes no token; Checks.run does.
func newConnectInfo(r *http.Request, m *unexported.Manner, params Params) *ConnectInfo {
	return &ConnectInfo{Transport: m.Transport, Params: params, r: r, manner: m, protocol: r.Header[protocolHeader]}
}

// A Header is one line of a request's header, its name in lower case.
type Header struct{ Name, Value string }

// Context ends when the handshake does, or its client goes away.
func (i *ConnectInfo) Context() context.Context {
	if i.r == nil {
		return context.Background()
	}
	return i.r.Context()
}

// PeerAddr is the address and port at the other end of the TCP connection, in
// the form "192.0.2.1:4000". Behind a proxy that is the proxy.
func (i *ConnectInfo) PeerAddr() string {
	if i.r == nil {
		return ""
	}
	return i.r.RemoteAddr
}

// TLS is the state of the TLS connection, with the client's certificates, or
// nil. It must not be changed.
func (i *ConnectInfo) TLS() *tls.ConnectionState {
	if i.r == nil {
		return nil
	}
	return i.r.TLS
}

// TraceContext returns the lines named traceparent and tracestate.
func (i *ConnectInfo) TraceContext() []Header {
	return i.headers(func(name string) bool { return name == "traceparent" || name == "tracestate" })
}

// XHeaders returns the lines whose names start with "x-", ordered by name;
// lines of the same name keep their order. On long-poll the line with the auth
// token is among them.
func (i *ConnectInfo) XHeaders() []Header {
	return i.headers(func(name string) bool { return strings.HasPrefix(name, "x-") })
}

// SecWebSocketHeaders returns the lines whose names start with
// "sec-websocket-", ordered by name. An auth token that was taken is no longer
// in them.
func (i *ConnectInfo) SecWebSocketHeaders() []Header {
	return i.headers(func(name string) bool { return strings.HasPrefix(name, "sec-websocket-") })
}

// headers returns a new slice, in an order that does not depend on the map.
func (i *ConnectInfo) headers(want func(name string) bool) []Header {
	if i.r == nil {
		return nil
	}
	var list []Header
	for key, values := range i.r.Header {
		name := strings.ToLower(key)
		if !want(name) {
			continue
		}
		if key == protocolHeader {
			values = i.protocol
		}
		for _, v := range values {
			list = append(list, Header{name, v})
		}
	}
	slices.SortStableFunc(list, func(a, b Header) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// URI is the address that was asked for: scheme, host with its port if the
// client named one, path and raw query, without the parameter that
// Checks.TokenParam names. The result is a copy. Its query may hold secrets, so do not
// log it.
func (i *ConnectInfo) URI() *url.URL {
	if i.r == nil {
		return &url.URL{}
	}
	return &url.URL{
		Scheme:   requestScheme(i.r, i.scheme),
		Host:     i.r.Host,
		Path:     i.r.URL.Path,
		RawPath:  i.r.URL.RawPath,
		RawQuery: withoutParam(i.r.URL.RawQuery, i.tokenParam),
	}
}

// UserAgent returns the User-Agent header and whether there is one.
func (i *ConnectInfo) UserAgent() (string, bool) {
	if i.r == nil {
		return "", false
	}
	values := i.r.Header["User-Agent"]
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// String names the transport only: everything else may hold secrets.
func (i *ConnectInfo) String() string { return "ConnectInfo(" + i.Transport + ")" }

// GoString is String, so that %#v tells no more.
func (i *ConnectInfo) GoString() string { return i.String() }

// LogValue is String, so that no log handler looks at the fields.
func (i *ConnectInfo) LogValue() slog.Value { return slog.StringValue(i.String()) }
