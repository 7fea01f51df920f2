package bennu

import (
	"net/http"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/stock"
)

// unmounted logs a request that looks like one of a client, at a path without a mount, and hints at
// the mistake. Other requests are not logged. With a Fallback, which may serve sockets or similar
// paths itself, it logs less.
func (e *Endpoint) unmounted(r *http.Request) {
	path, address := notice.Foreign("path", r.URL.Path), notice.Foreign("address", notice.Address(r))
	if kind, ok := e.absent(r.URL.Path); ok {
		e.book.Say(kind, path, address)
		return
	}
	// With a Fallback, two signs are wanted, since its pages may have names like a socket's.
	named, upgrades, speaks := e.named(r.URL.Path), stock.Upgrades(r), stock.Speaks(r)
	if e.options.Fallback != nil {
		if !(named && (upgrades || speaks)) && !(upgrades && e.isBelow(r.URL.Path)) {
			return
		}
	} else if !named && !upgrades && !speaks {
		return
	}
	// The line lists all mounts, so that a typing error can be seen.
	paths := make([]string, 0, len(e.mounts.all()))
	for _, m := range e.mounts.all() {
		if m.path != nil {
			paths = append(paths, m.path.String())
		}
	}
	mounted := notice.Foreign("mounted", strings.Join(paths, ", "))
	if e.options.Fallback != nil {
		e.book.Say(notice.FallbackAsked, path, mounted, address)
	} else {
		e.book.Say(notice.NotMounted, path, mounted, address)
	}
}

// absent reports whether a path is that of a transport which its socket does not have, and returns
// the notice for it. Each transport of stock clients has a notice of its own; other transports are
// known if another socket has them.
func (e *Endpoint) absent(path string) (notice.Kind, bool) {
	path = strings.TrimRight(path, "/")
	last := lastSegment(path)
	if !e.isSocket(strings.TrimSuffix(path, last)) {
		return 0, false
	}
	if kind, ok := stock.Absent(last); ok {
		return kind, true
	}
	for _, m := range e.mounts.all() {
		if last != "" && last == m.last {
			return notice.NoTransport, true
		}
	}
	return 0, false
}

// named reports whether a path ends like that of a transport of any mount or of stock clients, in
// upper or lower case.
func (e *Endpoint) named(path string) bool {
	last := lastSegment(path)
	if _, ok := stock.Segment(last); ok {
		return true
	}
	for _, m := range e.mounts.all() {
		if last != "" && strings.EqualFold(last, m.last) {
			return true
		}
	}
	return false
}

// isBelow reports whether a path is that of a socket, or below it. A socket at the root does not
// count: every path is below it.
func (e *Endpoint) isBelow(path string) bool {
	for path = strings.Trim(path, "/"); path != ""; path = strings.TrimRight(path[:max(0, strings.LastIndexByte(path, '/'))], "/") {
		if e.isSocket(path) {
			return true
		}
	}
	return false
}

// isSocket reports whether a path is that of a socket.
func (e *Endpoint) isSocket(path string) bool {
	for _, m := range e.mounts.all() {
		if _, ok := m.base.Match(path); ok {
			return true
		}
	}
	return false
}
