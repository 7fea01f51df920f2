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

// ConnectInfo describes a request for a connection to the application. It is valid only while
// Connect runs, because it reads from the request; copy what is needed later. It gives access
// neither to cookies nor to the request itself: any page that the origin check allows can open a
// socket, so cookies would prove nothing.
//
// A ConnectInfo with only the exported fields set is valid, for tests; its methods then return zero
// values. The methods may be called concurrently.
type ConnectInfo struct {
	// Transport is the name of the transport, such as "websocket" or "longpoll".
	Transport string
	// Params are the parameters of the query and the path. They may be changed and kept.
	Params Params
	// AuthToken is the token that the client sent where Checks.AuthToken or Checks.TokenParam says,
	// decoded; it may hold any bytes. It is nil if there is none; AuthTokenErr says why.
	AuthToken *string
	// Subprotocol is the subprotocol that the server's answer names, or empty. It is never the
	// token.
	Subprotocol string
	// Session is the browser's web session; see SessionCheck. It is nil if the mount does not ask
	// for it, or if the request does not prove that it may have it.
	Session map[string]any

	r        *http.Request
	manner   *unexported.Manner
	scheme   func(*http.Request) string
	protocol []string // Sec-WebSocket-Protocol without the token

	tokenParam string // Checks.TokenParam
	tokenErr   error  // why AuthToken is nil, if the request alone does not show it
}

// newConnectInfo returns a description of r. It makes no checks and takes no token; Checks.run
// does.
func newConnectInfo(r *http.Request, m *unexported.Manner, params Params) *ConnectInfo {
	return &ConnectInfo{Transport: m.Transport, Params: params, r: r, manner: m, protocol: r.Header[protocolHeader]}
}

// A Header is one line of a request's header, with its name in lower case.
type Header struct{ Name, Value string }

// Context returns the context of the request, which ends with the handshake or when the client goes
// away.
func (i *ConnectInfo) Context() context.Context {
	if i.r == nil {
		return context.Background()
	}
	return i.r.Context()
}

// PeerAddr returns the address and port of the other end of the TCP connection, such as
// "192.0.2.1:4000". Behind a proxy that is the proxy.
func (i *ConnectInfo) PeerAddr() string {
	if i.r == nil {
		return ""
	}
	return i.r.RemoteAddr
}

// TLS returns the state of the TLS connection, with the client's certificates, or nil. It must not
// be changed.
func (i *ConnectInfo) TLS() *tls.ConnectionState {
	if i.r == nil {
		return nil
	}
	return i.r.TLS
}

// TraceContext returns the header lines named traceparent and tracestate.
func (i *ConnectInfo) TraceContext() []Header {
	return i.headers(func(name string) bool { return name == "traceparent" || name == "tracestate" })
}

// XHeaders returns the header lines whose names start with "x-", ordered by name; lines of the same
// name keep their order. Over long polling the line with the auth token is among them.
func (i *ConnectInfo) XHeaders() []Header {
	return i.headers(func(name string) bool { return strings.HasPrefix(name, "x-") })
}

// SecWebSocketHeaders returns the header lines whose names start with "sec-websocket-", ordered by
// name, without an auth token that was taken.
func (i *ConnectInfo) SecWebSocketHeaders() []Header {
	return i.headers(func(name string) bool { return strings.HasPrefix(name, "sec-websocket-") })
}

// headers returns the lines whose names want accepts, ordered by name.
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

// URI returns a new URL with the requested address: scheme, host with its port if the client named
// one, path, and raw query without the parameter that Checks.TokenParam names. The query may hold
// secrets, so do not log it.
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

// String returns the name of the transport and nothing else, since everything else may hold
// secrets.
func (i *ConnectInfo) String() string { return "ConnectInfo(" + i.Transport + ")" }

// GoString is String, so that %#v prints no secrets.
func (i *ConnectInfo) GoString() string { return i.String() }

// LogValue is String, so that no log handler prints the fields.
func (i *ConnectInfo) LogValue() slog.Value { return slog.StringValue(i.String()) }
