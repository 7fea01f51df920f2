package bennu

import (
	"net/http"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

// absent is the path of a transport that a mount leaves out.
type absent struct {
	path *transport.Path
	kind notice.Kind
}

// leaveOut remembers a transport that a mount does not have, for who asks for it.
func (e *Endpoint) leaveOut(path, below string, kind notice.Kind) error {
	compiled, err := transport.CompilePath(path, below)
	if err == nil {
		e.absent = append(e.absent, absent{compiled, kind})
	}
	return err
}

// unmounted says what a request at a path without a mount may have meant. One that does
// not look like a socket's is no concern of the endpoint's, nor is one that a Fallback of
// the program's own may serve.
func (e *Endpoint) unmounted(r *http.Request) {
	for _, a := range e.absent {
		if _, ok := a.path.Match(r.URL.Path); ok {
			e.book.Say(a.kind, notice.Foreign("path", r.URL.Path), notice.Foreign("address", notice.Address(r)))
			return
		}
	}
	if e.options.Fallback != nil || !asksForSocket(r) {
		return
	}
	paths := make([]string, 0, len(e.mounts))
	for _, m := range e.mounts {
		paths = append(paths, m.path.String())
	}
	e.book.Say(notice.NotMounted, notice.Foreign("path", r.URL.Path), notice.Foreign("mounted", strings.Join(paths, ", ")),
		notice.Foreign("address", notice.Address(r)))
}

// asksForSocket reports whether a request is that of a Phoenix client, or of a WebSocket.
func asksForSocket(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		if strings.EqualFold(strings.TrimSpace(line), "websocket") {
			return true
		}
	}
	query := "&" + r.URL.RawQuery
	return strings.Contains(query, "&vsn=")
}
