package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
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
	Params Params `json:"-"`
	// AuthToken is the token that the client sent where Checks.AuthToken or Checks.TokenParam says,
	// decoded; it may hold any bytes. It is nil if there is none; AuthTokenErr says why.
	AuthToken *string `json:"-"`
	// Subprotocol is the subprotocol that the server's answer names, or empty. It is never the
	// token.
	Subprotocol string
	// Session is the browser's web session; see SessionCheck. It is nil if the mount does not ask
	// for it, or if the request does not prove that it may have it.
	Session map[string]any `json:"-"`

	r        *http.Request
	manner   *unexported.Manner
	scheme   func(*http.Request) string
	protocol []string // Sec-WebSocket-Protocol without the token

	tokenParam string // Checks.TokenParam
	tokenErr   error  // why AuthToken is nil, if the request alone does not show it
}

// newConnectInfo returns a description of r, without checks and without a token; see Checks.run.
func newConnectInfo(r *http.Request, m *unexported.Manner, params Params) *ConnectInfo {
	return &ConnectInfo{Transport: m.Transport, Params: params, r: r, manner: m, protocol: r.Header[protocolHeader]}
}

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

// Header returns a copy of the lines of the request's header that an application may see:
// User-Agent, Traceparent, Tracestate, and those whose names begin with X- or Sec-Websocket-. It does
// not have an auth token that was taken from the subprotocols, but it has that of long polling.
func (i *ConnectInfo) Header() http.Header {
	if i.r == nil {
		return nil
	}
	header := http.Header{}
	for key, values := range i.r.Header {
		if key == protocolHeader {
			values = i.protocol
		}
		if name := http.CanonicalHeaderKey(key); forApplication(name) && len(values) > 0 {
			header[name] = append(header[name], values...)
		}
	}
	return header
}

// forApplication reports whether an application may see the header lines with this name.
func forApplication(name string) bool {
	switch name {
	case "User-Agent", "Traceparent", "Tracestate":
		return true
	}
	return strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "Sec-Websocket-")
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

// Format prints the name of the transport and nothing else, whatever the verb, since everything else
// may hold secrets. encoding/json omits it for the same reason.
func (i *ConnectInfo) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "ConnectInfo(%s)", i.Transport)
}
