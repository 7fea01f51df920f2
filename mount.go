package bennu

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	urlpath "github.com/bennu-go/bennu/internal/path"
	"github.com/bennu-go/bennu/internal/seam"
)

// mount is one path at which one transport of a SocketHandler serves requests.
type mount struct {
	path    *urlpath.Path // nil if the transport serves no HTTP requests
	handler seam.Handler
	host    *seam.Host
	memory  *seam.Host    // for connections in memory, such as those of channeltest
	base    *urlpath.Path // the path of the socket
	last    string        // the last segment of path
	where   string        // file and line of the call of Endpoint.Socket
}

// route adds a mount: the requests at the path of r, below that of a socket, go to its handler. It
// returns an error for a path that is taken, or that would take all requests of another.
func (e *Endpoint) route(path string, r seam.Route, host *seam.Host, where string) error {
	if r.Path == "" {
		base, err := urlpath.Compile(path)
		if err == nil {
			e.mounts.add(&mount{handler: r.Handler, host: host, base: base, where: where})
		}
		return err
	}
	if err := checkSegments(r.Path); err != nil {
		return err
	}
	if err := checkVariables(r.Path, &host.Checks); err != nil {
		return err
	}
	whole := "/" + strings.Trim(path, "/")
	if below, added := strings.CutPrefix(r.Path, whole+"/"); added && whole != "/" {
		return fmt.Errorf("the path of transport %s is %q, which begins with the path of the socket, to which it is added: write %q", host.Name, r.Path, below)
	}
	compiled, err := urlpath.Compile(path, r.Path)
	if err != nil {
		return err
	}
	for _, m := range e.mounts.all() {
		if m.path == nil {
			continue
		}
		// The newer mount is tried first, so it must not take all requests of an older one.
		switch older, newer := m.path.String(), compiled.String(); {
		case older == newer:
			return fmt.Errorf("the path %s is already mounted at %s", compiled, m.where)
		case covers(newer, older):
			return fmt.Errorf("the path %s takes all requests of %s, mounted at %s, since the last mount is tried first; mount %s before %s",
				newer, older, m.where, newer, older)
		}
	}
	base, err := urlpath.Compile(path)
	if err != nil {
		return err
	}
	e.mounts.add(&mount{
		path: compiled, handler: r.Handler, host: host, memory: host.InMemory(host.Acceptor.(*via).inMemory()),
		base: base, last: lastSegment(r.Path), where: where,
	})
	return nil
}

// match reports whether the path of a request is that of the mount, and returns the variables in
// it.
func (m *mount) match(path string) (vars map[string]string, ok bool) {
	if m.path == nil {
		return nil, false
	}
	return m.path.Match(path)
}

// String returns the path of the mount, or that of its socket if it has none.
func (m *mount) String() string {
	if m.path == nil {
		return m.base.String()
	}
	return m.path.String()
}

// covers reports whether every path that matches other matches pattern, too.
func covers(pattern, other string) bool {
	segments, others := strings.Split(pattern, "/"), strings.Split(other, "/")
	return slices.EqualFunc(segments, others, func(segment, other string) bool {
		return segment == other || strings.HasPrefix(segment, ":")
	})
}

// lastSegment returns the text after the last slash, not counting slashes at the end.
func lastSegment(path string) string {
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// serve answers a request at the path of the mount.
func (m *mount) serve(w http.ResponseWriter, r *http.Request, vars map[string]string) {
	if c := seam.MemoryOf(r.Context()); c != nil {
		m.serveMemory(w, r, vars, c)
	} else {
		m.handler.Serve(w, r, vars)
	}
}

// serveMemory accepts or refuses the in-memory connection in the context of a request. It makes the
// same checks as the transport at the path.
func (m *mount) serveMemory(w http.ResponseWriter, r *http.Request, vars map[string]string, c *seam.Memory) {
	// As over any transport, so that a test sees the same refusals.
	info, err := m.memory.Check(r, vars)
	if err == nil {
		c.Receiver, err = m.memory.Ask(w, r, info)
	}
	if c.Err = err; err != nil {
		m.memory.Refuse(w, r, err)
	}
}
