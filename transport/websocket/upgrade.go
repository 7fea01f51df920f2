package websocket

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// Errors about the headers of an upgrade. Their texts go to the client.
var (
	errProto      = errors.New("websocket: only HTTP/1.1 can be upgraded")
	errHost       = errors.New("websocket: no host")
	errBody       = errors.New("websocket: request has a body")
	errConnection = errors.New("websocket: header Connection lacks upgrade")
	errUpgrade    = errors.New("websocket: header Upgrade lacks websocket")
	errVersion    = errors.New("websocket: header Sec-WebSocket-Version is not 13")
	errKey        = errors.New("websocket: header Sec-WebSocket-Key is not 24 characters")
)

// upgradeKey checks the headers of an upgrade and returns its key. Offered extensions are declined
// by not naming them in the answer.
func upgradeKey(r *http.Request) (string, error) {
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return "", errProto
	case r.Host == "":
		return "", errHost
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		// The body would be read as frames.
		return "", errBody
	case !hasToken(r.Header["Connection"], "upgrade"):
		return "", errConnection
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return "", errUpgrade
	}
	version, key := r.Header["Sec-Websocket-Version"], r.Header["Sec-Websocket-Key"]
	switch {
	case len(version) != 1 || version[0] != "13":
		return "", errVersion
	case len(key) != 1 || len(key[0]) != 24:
		return "", errKey
	}
	return key[0], nil
}

// hasToken reports whether one of the comma-separated lists in lines has the token, ignoring case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// switchProtocols answers 101. If the error came after the connection was hijacked, the connection
// is not nil and must be closed.
// The write timeout bounds the writing of the answer.
func switchProtocols(w http.ResponseWriter, host, key, subprotocol string, timeout time.Duration) (net.Conn, *bufio.ReadWriter, error) {
	// The upgrader gets a request with only the checked parts, so that its own checks cannot
	// disagree.
	r := &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: host,
		Header: http.Header{
			"Connection":            {"Upgrade"},
			"Upgrade":               {"websocket"},
			"Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key":     {key},
		},
	}
	u := ws.HTTPUpgrader{Timeout: timeout}
	if subprotocol != "" {
		r.Header["Sec-Websocket-Protocol"] = []string{subprotocol}
		u.Protocol = func(string) bool { return true }
	}
	nc, rw, _, err := u.Upgrade(r, w)
	return nc, rw, err
}

// isToken reports whether s is a token of HTTP, as subprotocols are.
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}
