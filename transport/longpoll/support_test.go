package longpoll

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

const patience = waittest.Patience

func seal(op wire.Opcode, data string) transport.Frame {
	return seam.Seal(op, append(make([]byte, seam.Headroom, seam.Headroom+len(data)), data...))
}

// phone is a seam.Receiver for tests. It checks how it is called and answers
// what it receives.
type phone struct {
	opened  func(*phone)
	receive func(p *phone, op wire.Opcode, data []byte) <-chan struct{}
	info    transport.Params
	token   *string

	mu     sync.Mutex
	conn   seam.Conn
	busy   <-chan struct{} // what AllHandled returns
	closed chan error
}

func newPhone(receive func(*phone, wire.Opcode, []byte) <-chan struct{}) *phone {
	return &phone{receive: receive, closed: make(chan error, 1)}
}

// enter checks that calls do not overlap.
func (p *phone) enter() func() {
	if !p.mu.TryLock() {
		panic("receiver called concurrently")
	}
	return p.mu.Unlock
}

func (p *phone) Opened(c seam.Conn) {
	defer p.enter()()
	if p.conn != nil {
		panic("opened twice")
	}
	p.conn = c
	if p.opened != nil {
		p.opened(p)
	}
}

func (p *phone) Receive(op wire.Opcode, data []byte) <-chan struct{} {
	defer p.enter()()
	if p.conn == nil || len(p.closed) > 0 {
		panic("received before opened or after closed")
	}
	if p.receive == nil {
		return nil
	}
	return p.receive(p, op, data)
}

func (p *phone) AllHandled() <-chan struct{} {
	defer p.enter()()
	return p.busy
}

func (p *phone) Closed(reason error) {
	defer p.enter()()
	select {
	case p.closed <- reason:
	default:
		panic("closed twice")
	}
}

// reason waits for the end.
func (p *phone) reason(t testing.TB) error {
	t.Helper()
	select {
	case err := <-p.closed:
		p.closed <- err
		return err
	case <-time.After(patience):
		t.Fatal("receiver was not told of the end")
		return nil
	}
}

// echo sends back what it receives, binary as text.
func echo(p *phone, _ wire.Opcode, data []byte) <-chan struct{} {
	p.conn.Send(seal(wire.Text, string(data)))
	return nil
}

// exchange is an acceptor that remembers its phones.
type exchange struct {
	accept func(*transport.ConnectInfo) (seam.Receiver, error) // instead
	make   func() *phone

	mu     sync.Mutex
	phones []*phone
}

func (x *exchange) Accept(info *transport.ConnectInfo) (seam.Receiver, error) {
	if x.accept != nil {
		return x.accept(info)
	}
	p := newPhone(echo)
	if x.make != nil {
		p = x.make()
	}
	p.info, p.token = info.Params, info.AuthToken
	x.mu.Lock()
	x.phones = append(x.phones, p)
	x.mu.Unlock()
	return p, nil
}

// last is the phone of the latest session.
func (x *exchange) last() *phone {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.phones[len(x.phones)-1]
}

// answering makes an exchange whose phones work so.
func answering(receive func(*phone, wire.Opcode, []byte) <-chan struct{}) *exchange {
	return &exchange{make: func() *phone { return newPhone(receive) }}
}

// testServer makes a server that is closed and awaited at the end of the test.
func testServer(t testing.TB, cfg *serverConfig) *server {
	if cfg == nil {
		cfg = &serverConfig{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := newServer(cfg)
	t.Cleanup(func() { shut(t, s) })
	return s
}

// shut closes a server and wants that nothing is left of it.
func shut(t testing.TB, s *server) {
	t.Helper()
	s.Close(transport.CloseRestart)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Errorf("server has something left: %v", err)
	}
	stats := s.Stats()
	ends := stats.IdleTimeouts + stats.SlowConsumers + stats.Lost + stats.ServerClosed +
		stats.ProtocolErrors + stats.InvalidData + stats.PolicyErrors + stats.TooBig
	if stats.Open != 0 || ends != stats.Opened {
		t.Errorf("at the end: %+v", stats)
	}
	if n := s.addresses.Len(); n != 0 || len(s.sessions) != 0 || s.route.users != 0 || len(s.route.calls) != 0 {
		t.Errorf("at the end: %d addresses, %d sessions, %d users of the route, %d calls", n, len(s.sessions), s.route.users, len(s.route.calls))
	}
	for _, b := range []*budget{&s.firsts, &s.rests} {
		if b.mu.Lock(); b.bytes != 0 || len(b.addresses)+len(b.sessions)+b.waiting.Len() != 0 {
			t.Errorf("at the end: %d bytes, %d addresses, %d sessions, %d waiting", b.bytes, len(b.addresses), len(b.sessions), b.waiting.Len())
		}
		b.mu.Unlock()
	}
}

func mustHandler(t testing.TB, s *server, a seam.Acceptor, opts *Options) *handler {
	t.Helper()
	h, err := s.Handler(a, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// site is a mount that is served over TCP, or without a network.
type site struct {
	t   testing.TB
	srv *server
	h   *handler
	url string
	via http.RoundTripper
}

// newSite serves a mount on a server of its own. A nil acceptor echoes.
func newSite(t testing.TB, a seam.Acceptor, opts *Options) *site {
	t.Helper()
	return serve(t, testServer(t, nil), a, opts)
}

// newCheckedSite is newSite with checks.
func newCheckedSite(t testing.TB, a seam.Acceptor, checks transport.Checks) *site {
	t.Helper()
	st := newSite(t, a, nil)
	st.h.host.Checks = checks
	return st
}

// patient completes options for a mount that is served over TCP: no time runs out that the test
// has not set, however slow the machine is.
func patient(opts *Options) *Options {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	for _, d := range []*time.Duration{&o.Window, &o.PubSubTimeout, &o.BodyTimeout, &o.WriteTimeout, &o.TokenAge} {
		if *d == 0 {
			*d = waittest.Patience
		}
	}
	return &o
}

// inSite runs a test with a mount in a bubble of testing/synctest, without a network: windows
// pass at once, and none passes while the test stands still.
func inSite(t *testing.T, a seam.Acceptor, opts *Options, test func(t *testing.T, st *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, direct(t, testServer(t, nil), a, opts)) })
}

// direct is serve without a network.
func direct(t testing.TB, srv *server, a seam.Acceptor, opts *Options) *site {
	t.Helper()
	if a == nil {
		a = &exchange{}
	}
	h := mustHandler(t, srv, a, opts)
	return &site{t: t, srv: srv, h: h, url: "http://example.com", via: noNetwork{h}}
}

// noNetwork hands requests to a handler.
type noNetwork struct{ h *handler }

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	r.RemoteAddr = "192.0.2.1:4000"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	n.h.Serve(w, r, nil)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func serve(t testing.TB, srv *server, a seam.Acceptor, opts *Options) *site {
	t.Helper()
	if a == nil {
		a = &exchange{}
	}
	st := &site{t: t, srv: srv, h: mustHandler(t, srv, a, patient(opts)), via: http.DefaultTransport}
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { st.h.Serve(w, r, nil) }))
	hs.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	hs.Start()
	t.Cleanup(hs.Close)
	t.Cleanup(func() { srv.Close(transport.CloseRestart) }) // or hs.Close would wait for polls
	st.url = hs.URL
	return st
}

// reply is an answer of a server.
type reply struct {
	http     int
	header   http.Header
	body     string
	Status   int
	Token    string
	Messages []string
}

func (r *reply) String() string { return fmt.Sprintf("HTTP %d, %.300s", r.http, r.body) }

// want fails unless the answer has the status in its envelope, and exactly the
// messages.
func (r *reply) want(t testing.TB, status int, messages ...string) *reply {
	t.Helper()
	if r.http != 200 || r.Status != status || len(messages)+len(r.Messages) > 0 && !reflect.DeepEqual(r.Messages, messages) {
		t.Fatalf("got %v; want status %d, messages %.200q", r, status, messages)
	}
	return r
}

// wantHTTP fails unless the answer has the HTTP status and an empty body.
func (r *reply) wantHTTP(t testing.TB, status int) *reply {
	t.Helper()
	if r.http != status || r.body != "" {
		t.Fatalf("got %v; want HTTP %d with an empty body", r, status)
	}
	return r
}

// ask is one request. The header is pairs of name and value.
type ask struct {
	method, query, token, body string
	header                     []string
	ctx                        context.Context
}

func (a ask) request(base string) *http.Request {
	ctx := a.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if a.method == "" {
		a.method = "GET"
	}
	var body io.Reader
	if a.method == "POST" || a.body != "" {
		body = strings.NewReader(a.body)
	}
	r, err := http.NewRequestWithContext(ctx, a.method, base+"/?vsn=2.0.0"+a.query, body)
	if err != nil {
		panic(err)
	}
	if a.token != "" {
		r.Header.Set(tokenHeader, a.token)
	}
	for i := 0; i < len(a.header); i += 2 {
		r.Header.Add(a.header[i], a.header[i+1])
	}
	return r
}

func (st *site) try(a ask) (*reply, error) {
	res, err := st.via.RoundTrip(a.request(st.url))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return readReply(res)
}

func readReply(res *http.Response) (*reply, error) {
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	r := &reply{http: res.StatusCode, header: res.Header, body: string(b)}
	if res.StatusCode == 200 && len(b) > 0 {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = errors.Join(d.Decode(r), func() error {
			if d.More() {
				return errors.New("more than one value")
			}
			return nil
		}())
	}
	return r, err
}

func (st *site) do(a ask) *reply {
	st.t.Helper()
	r, err := st.try(a)
	if err != nil {
		st.t.Fatal(err)
	}
	return r
}

// open makes a session and returns its token.
func (st *site) open(header ...string) string {
	st.t.Helper()
	r := st.do(ask{header: header}).want(st.t, 410)
	if r.Token == "" {
		st.t.Fatalf("no token: %v", r)
	}
	return r.Token
}

func (st *site) poll(token string) *reply {
	st.t.Helper()
	return st.do(ask{token: token})
}

func (st *site) post(token, body string) *reply {
	st.t.Helper()
	return st.do(ask{method: "POST", token: token, body: body})
}

// ndjson posts several messages.
func (st *site) ndjson(token, body string) *reply {
	st.t.Helper()
	return st.do(ask{method: "POST", token: token, body: body, header: []string{"Content-Type", "application/x-ndjson"}})
}

// background makes a request that is waited for later.
func (st *site) background(a ask) <-chan *reply {
	c := make(chan *reply, 1)
	go func() {
		r, err := st.try(a)
		if err != nil {
			r = &reply{body: err.Error()}
		}
		c <- r
	}()
	return c
}

// polling waits until a poll waits for the session of a token, and returns it.
func (st *site) polling(token string) waiter {
	st.t.Helper()
	s := st.session(token)
	var w waiter
	eventually(st.t, "a poll waits", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		w = s.waiter
		return w != nil
	})
	return w
}

// unpolled waits until the session knows that its poll has ended.
func (st *site) unpolled(token string) {
	st.t.Helper()
	s := st.session(token)
	eventually(st.t, "no poll waits", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.waiter == nil
	})
}

func (st *site) session(text string) *session {
	st.t.Helper()
	t, ok := st.srv.keys.open(text)
	if !ok {
		st.t.Fatalf("token %q is not valid", text)
	}
	s := st.srv.session(t.session)
	if s == nil {
		st.t.Fatal("no such session")
	}
	return s
}

var eventually = waittest.Until

// splitBody is all messages of a post.
func splitBody(body []byte, ndjson bool, limit int) (list []line, more bool, err error) {
	ls := lines{body, ndjson, max(0, limit)}
	if !ndjson {
		ls.left = 1
	}
	if more, err = ls.check(); err != nil {
		return nil, false, err
	}
	for l, ok := ls.next(); ok; l, ok = ls.next() {
		list = append(list, l)
	}
	return list, more, nil
}

// isClosed reports whether err is a ClosedError with the code.
func isClosed(err error, code transport.CloseCode) bool {
	ce, ok := errors.AsType[*transport.ClosedError](err)
	return ok && ce.Code == code
}
