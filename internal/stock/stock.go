// Package stock knows how the stock clients of Phoenix ask for a socket.
package stock

import (
	"net/http"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
)

// segments are the segments that the clients add to the path of a socket, each with the notice for
// a mount that has no transport there.
var segments = []struct {
	name   string
	absent notice.Kind
}{
	{"websocket", notice.NoWebSocket},
	{"longpoll", notice.NoLongPoll},
}

// Segment returns a segment of a path as the clients write it, if it is one that they add, in upper
// or lower case.
func Segment(text string) (name string, ok bool) {
	for _, s := range segments {
		if strings.EqualFold(text, s.name) {
			return s.name, true
		}
	}
	return "", false
}

// Absent returns the notice for a mount that has no transport at a segment of Segment.
func Absent(segment string) (kind notice.Kind, ok bool) {
	for _, s := range segments {
		if segment == s.name {
			return s.absent, true
		}
	}
	return 0, false
}

// Upgrades reports whether a request asks for a WebSocket.
func Upgrades(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		if strings.EqualFold(strings.TrimSpace(line), "websocket") {
			return true
		}
	}
	return false
}

// Speaks reports whether a request has a parameter with a version of the protocol.
func Speaks(r *http.Request) bool { return strings.Contains("&"+r.URL.RawQuery, "&vsn=") }
