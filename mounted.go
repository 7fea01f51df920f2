package bennu

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	urlpath "github.com/bennu-go/bennu/internal/path"
	"github.com/bennu-go/bennu/internal/seam"
)

// mount is a path of a SocketHandler, over one transport.
type mount struct {
	path    *urlpath.Path // nil where the transport takes no requests below the socket
	handler seam.Handler
	host    *seam.Host
	memory  *seam.Host    // for connections in memory
	base    *urlpath.Path // of the socket, as it was given to Endpoint.Socket
	last    string        // segment of the path
	where   string
}

// route sends the requests of a path below a socket's to a transport.
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
	whole := "/" + strings.Trim(path, "/")
	if below, added := strings.CutPrefix(r.Path, whole+"/"); added && whole != "/" {
		return fmt.Errorf("the path of transport %s is %q, which is added to the path of the socket: write %q", host.Name, r.Path, below)
	}
	compiled, err := urlpath.Compile(path, r.Path)
	if err != nil {
		return err
	}
	for _, m := range e.mounts.all() {
		if m.path == nil {
			continue
		}
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

// match reports whether a request at a path is for the mount, and returns the variables.
func (m *mount) match(path string) (vars map[string]string, ok bool) {
	if m.path == nil {
		return nil, false
	}
	return m.path.Match(path)
}

// String returns the mount's path, or that of the socket.
func (m *mount) String() string {
	if m.path == nil {
		return m.base.String()
	}
	return m.path.String()
}

// covers reports whether every path of one pattern is one of the other, too.
func covers(pattern, other string) bool {
	segments, others := strings.Split(pattern, "/"), strings.Split(other, "/")
	return slices.EqualFunc(segments, others, func(segment, other string) bool {
		return segment == other || strings.HasPrefix(segment, ":")
	})
}

func lastSegment(path string) string {
	path = strings.TrimRight(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// serve answers a request at the path.
func (m *mount) serve(w http.ResponseWriter, r *http.Request, vars map[string]string) {
	if c := seam.MemoryOf(r.Context()); c != nil {
		m.serveMemory(w, r, vars, c)
	} else {
		m.handler.Serve(w, r, vars)
	}
}

// serveMemory decides over a connection that a request has in its context.
func (m *mount) serveMemory(w http.ResponseWriter, r *http.Request, vars map[string]string, c *seam.Memory) {
	info, err := m.memory.Check(r, vars)
	if err == nil {
		c.Receiver, err = m.memory.Ask(w, r, info)
	}
	if c.Err = err; err != nil {
		m.memory.Refuse(w, r, err)
	}
}
