package bennu

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
	urlpath "github.com/bennu-go/bennu/internal/path"
)

// absent is the path of a transport that a mount leaves out.
type absent struct {
	path *urlpath.Path
	kind notice.Kind
}

// leaveOut remembers a transport that a mount does not have, for who asks for it.
func (e *Endpoint) leaveOut(path, below string, kind notice.Kind) error {
	compiled, err := urlpath.Compile(path, below)
	if err == nil {
		e.absent = append(e.absent, absent{compiled, kind})
	}
	return err
}

// unmounted says what a request at a path without a mount may have meant. One that does
// not look like a socket's is no concern of the endpoint's. Where a Fallback of the
// program's may serve sockets, or pages at names like a socket's, it is only mentioned.
func (e *Endpoint) unmounted(r *http.Request) {
	for _, a := range e.absent {
		if _, ok := a.path.Match(r.URL.Path); ok {
			e.book.Say(a.kind, notice.Foreign("path", r.URL.Path), notice.Foreign("address", notice.Address(r)))
			return
		}
	}
	upgrades, speaks := asksForWebSocket(r), strings.Contains("&"+r.URL.RawQuery, "&vsn=")
	if e.options.Fallback != nil {
		polls := speaks && e.named(r.URL.Path, true)
		if !polls && !(upgrades && (e.named(r.URL.Path, false) || e.isBelow(r.URL.Path))) {
			return
		}
	} else if !upgrades && !speaks && !e.named(r.URL.Path, true) && !e.named(r.URL.Path, false) {
		return
	}
	paths := make([]string, 0, len(e.mounts))
	for _, m := range e.mounts {
		paths = append(paths, m.path.String())
	}
	attrs := []slog.Attr{notice.Foreign("path", r.URL.Path), notice.Foreign("mounted", strings.Join(paths, ", ")),
		notice.Foreign("address", notice.Address(r))}
	if e.options.Fallback != nil {
		e.book.Say(notice.FallbackAsked, attrs...)
	} else {
		e.book.Say(notice.NotMounted, attrs...)
	}
}

// named reports whether a path ends like that of a WebSocket, or of long polling, of the
// mounts or by default, in any case.
func (e *Endpoint) named(path string, polls bool) bool {
	last := lastSegment(path)
	if polls && strings.EqualFold(last, "longpoll") || !polls && strings.EqualFold(last, "websocket") {
		return true
	}
	for _, m := range e.mounts {
		if m.polls == polls && last != "" && strings.EqualFold(last, m.last) {
			return true
		}
	}
	for _, a := range e.absent {
		if (a.kind == notice.NoLongPoll) == polls && last != "" && strings.EqualFold(last, lastSegment(a.path.String())) {
			return true
		}
	}
	return false
}

// isBelow reports whether a path is that of a socket, or below it. A socket at the root has
// all paths below it, and says nothing.
func (e *Endpoint) isBelow(path string) bool {
	for path = strings.Trim(path, "/"); path != ""; path = strings.TrimRight(path[:max(0, strings.LastIndexByte(path, '/'))], "/") {
		for _, m := range e.mounts {
			if _, ok := m.base.Match(path); ok {
				return true
			}
		}
	}
	return false
}

func lastSegment(path string) string {
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// asksForWebSocket reports whether a request asks for a WebSocket.
func asksForWebSocket(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		if strings.EqualFold(strings.TrimSpace(line), "websocket") {
			return true
		}
	}
	return false
}
