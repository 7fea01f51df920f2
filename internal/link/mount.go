package link

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// Mounter returns a seam.Mounter for a transport that only implements transport.Transport. name is
// what its Name has returned; that is not asked again, since it could change.
func Mounter(t transport.Transport, name string) seam.Mounter { return &mounter{t, name} }

type mounter struct {
	transport.Transport
	name string
}

// bounds are the defaults of LinkOptions, which a transport passes with each connection.
var bounds = seam.Bounds{
	Message:       seam.Bound{Option: "transport.LinkOptions.MaxMessage", Default: defaultMaxMessage},
	QueueBytes:    seam.Bound{Option: "transport.LinkOptions.MaxQueueBytes", Default: defaultMaxQueueBytes},
	QueueMessages: seam.Bound{Option: "transport.LinkOptions.MaxQueueMessages", Default: defaultMaxQueueMessages},
}

// Traits implements seam.Mounter.
func (m *mounter) Traits() seam.Traits {
	return seam.Traits{
		Manner:        seam.Manner{Transport: m.name, HeaderToken: true, Offers: true},
		AcceptorPanic: notice.LinkAcceptor,
		Bounds:        bounds,
		OwnBounds:     true,
	}
}

// groupKey is the key of a Group: all mounts of an endpoint with a transport of this name share it.
type groupKey struct{ name string }

// MountSeam implements seam.Mounter.
func (m *mounter) MountSeam(host *seam.Host) ([]seam.Route, error) {
	group := host.Shared(groupKey{host.Name}, func() seam.Server { return newGroup(host.Name, host.Book, host.MaxClosing, host.Ending) }).(*Group)
	mount := &mount{host: host, group: group}
	err := m.Mount(mount)
	routes, fault := mount.mounted()
	switch {
	case err == nil:
		err = fault
	case nils.Is(err):
		err = fmt.Errorf("transport %q: Mount returned a nil %T as error; return nil", m.name, err)
	}
	return routes, err
}

// mount implements transport.Mount.
type mount struct {
	host   *seam.Host
	group  *Group
	served sync.Once // to log the limits of the first connection

	mu     sync.Mutex // guards the fields below; limits and routes do not change after over
	over   bool       // Transport.Mount has returned
	routes []seam.Route
	limits []slog.Attr
	fault  error // the first mistake of the transport
}

// mounted is called when Transport.Mount has returned. It returns the routes and the first mistake.
func (m *mount) mounted() ([]seam.Route, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
	if len(m.routes) == 0 { // without a path, so that the endpoint logs the socket and its limits
		m.routes = append(m.routes, seam.Route{Handler: &route{mount: m}})
	}
	return m.routes, m.fault
}

// early panics if Transport.Mount has returned. The panic is in the transport that called the
// method.
func (m *mount) early(method string) {
	if m.over {
		panic(fmt.Sprintf("bennu: transport %q calls Mount.%s after its Mount has returned; call it before", m.host.Name, method))
	}
}

// Handle implements transport.Mount.
func (m *mount) Handle(path string, h http.Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.early("Handle")
	switch {
	case m.fault != nil:
	case strings.Trim(path, "/") == "":
		m.fault = fmt.Errorf("transport %q handles no path below that of the socket: give Mount.Handle one or more segments, such as %q", m.host.Name, m.host.Name)
	case nils.Is(h):
		m.fault = fmt.Errorf("transport %q gives Mount.Handle no handler for %q", m.host.Name, path)
	}
	m.routes = append(m.routes, seam.Route{Path: path, Handler: &route{m, h}})
}

// Limits implements transport.Mount.
func (m *mount) Limits(attrs ...slog.Attr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.early("Limits")
	m.limits = append(m.limits, attrs...)
}

// Root implements transport.Mount.
func (m *mount) Root() http.Handler { return m.host.Root }

// Logger implements transport.Mount.
func (m *mount) Logger() *slog.Logger { return slog.New(m.host.Book.Handler()) }

// Go implements transport.Mount.
func (m *mount) Go(f func(ctx context.Context)) {
	if f == nil {
		panic(fmt.Sprintf("bennu: transport %q gives Mount.Go no function", m.host.Name))
	}
	m.group.run(func(ctx context.Context) {
		returned := false
		defer func() {
			if !returned {
				m.host.Book.Say(notice.TransportPanic, m.host.Where(slog.Any("panic", broken(recover())), redact.StackAttr())...)
			}
		}()
		f(ctx)
		returned = true
	})
}

// bodyTime bounds how long the server reads the body of a refused request.
const bodyTime = 5 * time.Second

// Refuse implements transport.Mount.
func (m *mount) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if nils.Is(w) || r == nil || nils.Is(err) {
		_ = m.misused("Mount.Refuse is called without a ResponseWriter, a request, or the error of Accept")
		if nils.Is(w) || r == nil {
			return
		}
		err = transport.ErrPanic
	}
	if r.ContentLength != 0 {
		// Without this net/http would read the body before it sends the answer.
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	}
	m.host.Refuse(w, r, err)
}

// Accept implements transport.Mount.
func (m *mount) Accept(r *http.Request) (transport.Session, error) {
	if r == nil || r.URL == nil {
		m.group.stats.Refused.Add(1)
		return nil, m.misused("Mount.Accept is called without a request that has a URL, with the client's parameters in its RawQuery")
	}
	if c := cameOf(r); c != nil && c.mount != m {
		m.group.stats.Refused.Add(1)
		return nil, m.misused(fmt.Sprintf("Mount.Accept of %s is called with a request of another mount, of %s; keep each Mount apart", m.host.Path, c.mount.host.Path))
	}
	s, err := m.accept(r)
	if err != nil {
		m.group.stats.Refused.Add(1)
		return nil, err
	}
	return s, nil
}

// misused logs that the transport has called a method wrongly, and returns that as an error. A
// panic could end the process, since the goroutines of a transport are its own.
func (m *mount) misused(mistake string) error {
	m.host.Book.Say(notice.TransportMisuse, m.host.Where(slog.String("error", mistake))...)
	return fmt.Errorf("bennu: transport %q: %s", m.host.Name, mistake)
}

// accept makes the checks and calls Connect. Functions of the program may panic or end their
// goroutine, so they run in a goroutine of their own, and the caller's goroutine goes on.
func (m *mount) accept(r *http.Request) (s *session, err error) {
	if !m.group.enter() {
		m.host.Book.Say(notice.Draining, m.host.About(r)...)
		return nil, transport.ErrBusy
	}
	defer m.group.tasks.Done()
	var abort any
	asked := false
	done := make(chan struct{})
	go func() {
		returned := false
		defer close(done)
		defer func() {
			v := recover()
			switch {
			case returned:
				return
			case v == http.ErrAbortHandler && cameOf(r) != nil: // for net/http, in the caller's goroutine
				abort = v
			case v != nil:
				m.sayCrash(r, v)
			case !asked: // otherwise Ask has logged it
				m.sayCrash(r, "runtime.Goexit")
			}
			err = transport.ErrPanic
		}()
		var info *transport.ConnectInfo
		if r, info, err = m.check(r); err == nil {
			asked = true
			s, err = m.ask(r, info)
		}
		returned = true
	}()
	<-done
	if abort != nil {
		panic(abort)
	}
	return s, err
}

// sayCrash counts and logs that a function of the program has panicked before Connect.
func (m *mount) sayCrash(r *http.Request, v any) {
	params, _ := seam.ParseQuery(r.URL.RawQuery) // the panic may quote them, and they may be secret
	m.host.Book.Say(notice.RequestCrash, m.host.About(r, slog.Any("panic", redact.KnownPanic(v, nil, params)), redact.StackAttr())...)
}

// check makes the mount's checks. It returns the request with what later log lines need.
func (m *mount) check(r *http.Request) (*http.Request, *transport.ConnectInfo, error) {
	if r.Header == nil {
		shallow := *r
		r, shallow.Header = &shallow, http.Header{}
	}
	var vars map[string]string
	if c := cameOf(r); c != nil {
		vars = c.vars
	} else if m.host.Arrived != nil {
		r = m.host.Arrived(r)
	}
	info, err := m.host.Check(r, vars)
	return r, info, err
}

// ask calls the acceptor, and returns the session of an accepted connection.
func (m *mount) ask(r *http.Request, info *transport.ConnectInfo) (*session, error) {
	subprotocol := info.Subprotocol
	receiver, err := m.host.Ask(nil, r, info)
	if err != nil {
		return nil, err
	}
	m.group.makeRoom()
	return &session{mount: m, receiver: receiver, subprotocol: subprotocol}, nil
}

// came is how a request came that a transport handles. It is in the context of the request.
type came struct {
	mount *mount
	vars  map[string]string // the variables of the mount's path
}

type cameKey struct{}

// cameOf returns how a request came, or nil if it came by no path of the endpoint.
func cameOf(r *http.Request) *came {
	c, _ := r.Context().Value(cameKey{}).(*came)
	return c
}

// route is a path that a transport handles. It implements seam.Handler.
type route struct {
	mount   *mount
	handler http.Handler // nil for a route without a path
}

// Serve implements seam.Handler.
func (r *route) Serve(w http.ResponseWriter, req *http.Request, vars map[string]string) {
	r.handler.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), cameKey{}, &came{r.mount, vars})))
}

// Limits implements seam.Handler.
func (r *route) Limits() []slog.Attr { return r.mount.limits }

// Begins implements seam.Handler.
func (r *route) Begins(*http.Request) bool { return true }
