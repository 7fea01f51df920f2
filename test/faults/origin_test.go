package faults

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// visitors notes whose web session Connect was shown, by the parameter "id".
type visitors struct {
	mu   sync.Mutex
	seen map[string]string
}

func (v *visitors) connect(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
	id, _ := info.Params.String("id")
	user, _ := info.Session["user"].(string)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen[id] = user
	return nil
}

// user is whose session a connection was shown, "" for nobody's. It reports false when
// Connect was not called.
func (v *visitors) user(id string) (user string, called bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	user, called = v.seen[id]
	return user, called
}

// webSession is a session in a cookie that is not signed, with a CSRF token made of the
// user's name: what is tested is when they are asked, not how they are made.
func webSession(skipCSRF bool) *transport.SessionCheck {
	return &transport.SessionCheck{
		Read: func(r *http.Request) (map[string]any, bool) {
			c, err := r.Cookie("web")
			if err != nil || c.Value == "" {
				return nil, false
			}
			return map[string]any{"user": c.Value}, true
		},
		CSRF:                  func(session map[string]any, token string) bool { return token == fmt.Sprint("of-", session["user"]) },
		InsecureSkipCSRFCheck: skipCSRF,
	}
}

// originMounts are the policies of the table, by path. The last two are on an endpoint
// that has a Host.
func originMounts(t *testing.T) map[string]transport.Checks {
	t.Helper()
	listed, err := transport.Origins("//example.com", "https://*.wild.test", "http://port.test:81", "https://secure.test",
		"//any.test:8443", "https://xn--bcher-kva.test", "https://[2001:db8::1]:8443", "app://native")
	if err != nil {
		t.Fatal(err)
	}
	forwarded := func(r *http.Request) string { return r.Header.Get("X-Forwarded-Proto") }
	return map[string]transport.Checks{
		"/default": {},
		"/list":    {Origin: listed},
		"/host":    {Origin: hostOrigin(t, "example.com")},
		"/nobody":  {Origin: func(r *http.Request) bool { return len(r.Header["Origin"]) == 0 }},
		"/behind":  {Scheme: forwarded, Origin: transport.SameOrigin(forwarded)},
		"/func":    {Origin: transport.OriginFunc(func(o *url.URL, _ *http.Request) bool { return strings.HasSuffix(o.Host, ".func.test") })},
		"/open":    {InsecureSkipOriginCheck: true},
		"/csrf":    {Session: webSession(false)},
		"/cookie":  {Session: webSession(true)},
		"/opencsrf": {
			InsecureSkipOriginCheck: true, Session: webSession(false),
		},
		"/named":      {},
		"/named-same": {Origin: transport.SameOrigin(nil)},
	}
}

// TestOrigins (F19) makes the requests of the table over both transports.
func TestOrigins(t *testing.T) {
	if len(originRows) < 80 {
		t.Errorf("the table has %d rows, want 80 or more", len(originRows))
	}
	noted := &visitors{seen: map[string]string{}}
	handler := &bennu.SocketHandler{Connect: noted.connect}
	var plain, named *server
	mount := func(names bool) func(*bennu.Endpoint) {
		return func(e *bennu.Endpoint) {
			for path, checks := range originMounts(t) {
				if strings.HasPrefix(path, "/named") == names {
					e.Socket(path, handler, &bennu.SocketOptions{Checks: checks, Transports: []transport.Transport{websocket.New(nil), longpoll.New(&longpoll.Options{MaxSessionsPerAddress: bennu.Unlimited})}})
				}
			}
		}
	}
	plain = start(t, nil, mount(false))
	named = start(t, &bennu.EndpointOptions{Host: "named.test"}, mount(true))
	seen := map[string]string{}
	requests := 0
	for i, row := range originRows {
		if twin := seen[row.key()]; twin != "" {
			t.Errorf("%q and %q are the same row", twin, row.name)
		}
		seen[row.key()] = row.name
		s := plain
		if strings.HasPrefix(row.mount, "/named") {
			s = named
		}
		for _, kind := range []string{"websocket", "longpoll"} {
			id := fmt.Sprint(kind, i)
			if err := row.check(s, kind, id); err != nil {
				t.Errorf("%s, %s at %s: %v", row.name, kind, row.mount, err)
				continue
			}
			user, called := noted.user(id)
			if called != row.allowed || user != row.user {
				t.Errorf("%s, %s at %s: Connect called %v, with the session of %q; want %v, %q", row.name, kind, row.mount, called, user, row.allowed, row.user)
			}
			requests++
		}
	}
	t.Logf("%d rows, %d connects", len(originRows), requests)
}

// originRow is a request and what becomes of it.
type originRow struct {
	name    string
	mount   string
	host    string   // of the request; "" is app.test
	lines   []string // further lines of its header
	query   string
	allowed bool
	user    string // whose web session is shown
}

func (r *originRow) key() string {
	return strings.Join(append([]string{r.mount, r.host, r.query}, r.lines...), "\n")
}

// origin is what an allowed page must read as its own in the answer.
func (r *originRow) origin() string {
	for _, l := range r.lines {
		if value, ok := strings.CutPrefix(l, "Origin:"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "*"
}

func (r *originRow) text(method, transportPath, id string, lines ...string) string {
	host := r.host
	if host == "" {
		host = "app.test"
	}
	all := slices.Concat([]string{"Host: " + host}, lines, r.lines)
	return head(method, r.mount+transportPath+"?vsn=2.0.0&id="+id+r.query, all...)
}

// check connects over one transport: an upgrade, or the first poll.
func (r *originRow) check(s *server, kind, id string) error {
	if kind == "websocket" {
		a, err := once(s.addr, r.text("GET", "/websocket", id, upgradeLines...))
		switch {
		case err != nil:
			return err
		case r.allowed && a.Status != 101, !r.allowed && (a.Status != 403 || a.Body != ""):
			return fmt.Errorf("%v; want allowed: %v", a, r.allowed)
		}
		return nil
	}
	status, origin := 410, r.origin()
	if !r.allowed {
		status, origin = 403, "*"
	}
	a, err := once(s.addr, r.text("GET", "/longpoll", id))
	if err := want(a, err, 200, status); err != nil {
		return fmt.Errorf("GET: %w", err)
	}
	if !r.allowed && a.Body != `{"status":403}` {
		return fmt.Errorf("GET: %v, want only the status", a)
	}
	answers := []*answer{a}
	// A page asks before it posts, and posts only then. Others post at once.
	if a, err = once(s.addr, r.text("OPTIONS", "/longpoll", id, "Access-Control-Request-Headers: x-a")); err != nil {
		return fmt.Errorf("OPTIONS: %w", err)
	}
	if allows := a.Header.Get("Access-Control-Allow-Headers") == "x-a"; allows != r.allowed || !r.allowed && a.Envelope.Status != 403 {
		return fmt.Errorf("OPTIONS: %v, %v", a, a.Header)
	}
	answers = append(answers, a)
	if a, err = once(s.addr, r.text("POST", "/longpoll", id, "Content-Length: 0")); want(a, err, 200, status) != nil {
		return fmt.Errorf("POST: %w", want(a, err, 200, status))
	}
	for _, a := range append(answers, a) {
		if got := a.Header["Access-Control-Allow-Origin"]; len(got) != 1 || got[0] != origin {
			return fmt.Errorf("Access-Control-Allow-Origin %q, want %q", got, origin)
		}
		if a.Header.Get("Access-Control-Allow-Credentials") != "" {
			return fmt.Errorf("allows credentials: %v", a.Header)
		}
	}
	return nil
}

// TestFetchMetadata: a request of long polling that has no Origin header, though a browser
// says that it comes from elsewhere.
func TestFetchMetadata(t *testing.T) {
	s := start(t, nil, func(e *bennu.Endpoint) {
		e.Socket("/default", &bennu.SocketHandler{}, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})
		e.Socket("/open", &bennu.SocketHandler{}, &bennu.SocketOptions{
			Checks:     transport.Checks{InsecureSkipOriginCheck: true},
			Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)},
		})
	})
	for _, row := range []struct {
		mount, site string
		status      int
	}{
		{"/default", "cross-site", 403}, {"/default", "same-site", 403}, {"/default", "same-origin", 410}, {"/default", "none", 410},
		{"/open", "cross-site", 410},
	} {
		for _, method := range []string{"GET", "POST"} {
			a, err := once(s.addr, head(method, row.mount+"/longpoll?vsn=2.0.0", "Sec-Fetch-Site: "+row.site, "Content-Length: 0"))
			if err := want(a, err, 200, row.status); err != nil {
				t.Errorf("%s, %s at %s: %v", method, row.site, row.mount, err)
			}
		}
	}
}

// hostOrigin allows one host, with any scheme and port.
func hostOrigin(t *testing.T, host string) transport.OriginCheck {
	t.Helper()
	check, err := transport.Origins("//" + host)
	if err != nil {
		t.Fatal(err)
	}
	return check
}

// TestTwoMounts: a session that was made at one mount cannot be used through another
// whose policy differs.
func TestTwoMounts(t *testing.T) {
	s := start(t, nil, func(e *bennu.Endpoint) {
		for _, host := range []string{"one", "two"} {
			e.Socket("/"+host, &bennu.SocketHandler{}, &bennu.SocketOptions{
				Checks:     transport.Checks{Origin: hostOrigin(t, host+".test")},
				Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)},
			})
		}
	})
	const one, two = "Origin: http://one.test", "Origin: http://two.test"
	c, err := openSession(s.addr, "/one/longpoll?vsn=2.0.0", one)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, row := range []struct {
		path, origin string
		status       int
	}{
		{"/one", one, 200}, {"/one", two, 403}, {"/two", one, 403}, {"/two", two, 410}, {"/one", one, 200},
	} {
		a, err := c.ask(head("POST", row.path+"/longpoll", "X-Phoenix-Longpoll-Token: "+c.token, row.origin, ndjson, "Content-Length: 0"))
		if err := want(a, err, 200, row.status); err != nil {
			t.Errorf("%s with %s: %v", row.path, row.origin, err)
		}
	}
}

// TestBothChecksOff: an endpoint that would show the session to any website does not
// start, over whichever transport.
func TestBothChecksOff(t *testing.T) {
	for _, list := range [][]transport.Transport{{websocket.New(nil), longpoll.New(nil)}, {longpoll.New(nil)}} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "origin and CSRF checks are both off") {
					t.Errorf("%d transports: panicked with %q", len(list), text)
				}
			}()
			bennu.NewEndpoint(nil).Socket("/socket", &bennu.SocketHandler{}, &bennu.SocketOptions{
				Checks:     transport.Checks{InsecureSkipOriginCheck: true, Session: webSession(true)},
				Transports: list,
			})
		}()
	}
}
