package transporttest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// suite is one check that runs: an endpoint with the transport, and the connections to it.
type suite struct {
	testing.TB
	*Harness
	check  *check
	bubble bool
	failed *atomic.Bool // a check of this run has failed
	watch  *watch       // of the links; nil if the transport is one of bennu's own

	transport transport.Transport
	name      string
	endpoint  *bennu.Endpoint
	server    *http.Server // with HTTP
	url       string
	log       waittest.Buffer
	hooks     hooks
	peers     chan *peer // opened connections that accepted has not returned
	ended     bool       // the check has shut the endpoint down

	mu  sync.Mutex
	all []*peer
}

// hooks are functions of a check that are called if they are set. Those of receivers may panic.
type hooks struct {
	connect func(info *bennu.ConnectInfo) error
	opened  func(p *peer)
	receive func(p *peer, op wire.Opcode, data []byte) (resume <-chan struct{})
	closed  func(p *peer, reason error)
	// channels passes messages on to the socket, which has a channel for each topic.
	channels bool
	slow     chan struct{} // handlers of "slow" wait for it
}

// setup has the options of the endpoint and its mount. The zero value is right for most checks.
type setup struct {
	link     transport.LinkOptions
	hooks    hooks
	endpoint bennu.EndpointOptions
	socket   bennu.SocketOptions
	server   func(*http.Server)
	wrap     func(http.Handler) http.Handler
}

func newSuite(t testing.TB, h *Harness, c *check, bubble bool) *suite {
	s := &suite{TB: t, Harness: h, check: c, bubble: bubble, peers: make(chan *peer, 10_000)}
	s.log.Most = 64 << 10
	if _, own := h.New(&transport.LinkOptions{}).(seam.Mounter); !own {
		s.watch = newWatch(s)
	}
	return s
}

// Errorf adds the law to a failure.
func (s *suite) Errorf(format string, args ...any) {
	s.Helper()
	s.TB.Errorf("%s\n\tThe law: %s", fmt.Sprintf(format, args...), s.check.law)
}

// Fatalf adds the law to a failure.
func (s *suite) Fatalf(format string, args ...any) {
	s.Helper()
	s.TB.Fatalf("%s\n\tThe law: %s", fmt.Sprintf(format, args...), s.check.law)
}

// The path of the mount, and the one that clients ask for.
const (
	mountPath  = "/suite/:room"
	clientPath = "/suite/blue"
)

// start mounts the transport and serves the endpoint.
func (s *suite) start(o setup) {
	s.Helper()
	s.hooks = o.hooks
	s.transport = s.New(&o.link)
	s.name = s.transport.Name()
	o.endpoint.Logger = slog.New(slog.NewTextHandler(&s.log, nil))
	o.endpoint.NoEpoll = s.NoEpoll
	if o.endpoint.DrainTime == 0 {
		o.endpoint.DrainTime = bennu.Unlimited
	}
	s.endpoint = bennu.NewEndpoint(&o.endpoint)
	if s.watch != nil {
		s.transport = s.watch.transport(s.transport)
	}
	o.socket.Transports = []transport.Transport{s.transport}
	s.endpoint.Socket(mountPath, s.users(), &o.socket)
	s.Cleanup(s.end)
	if s.HTTP {
		s.serve(&o)
	}
}

// users returns the SocketHandler, whose Connect is that of the hooks.
func (s *suite) users() *bennu.SocketHandler {
	h := &bennu.SocketHandler{}
	h.Connect = func(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
		if s.hooks.connect != nil {
			return s.hooks.connect(info)
		}
		return nil
	}
	h.Channel("room:*", s.room())
	seam.Wrap(h, func(inner seam.Receiver) seam.Receiver { return newPeer(s, inner) })
	return h
}

// serve serves the endpoint over HTTP.
func (s *suite) serve(o *setup) {
	s.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.server = s.endpoint.Server()
	s.url = "http://" + ln.Addr().String()
	if o.wrap != nil {
		s.server.Handler = o.wrap(s.server.Handler)
	}
	if o.server != nil {
		o.server(s.server)
	}
	var serving sync.WaitGroup
	if s.TLS != nil {
		s.url = "https://" + ln.Addr().String()
		s.server.TLSConfig = s.TLS.Clone()
		serving.Go(func() { _ = s.server.ServeTLS(ln, "", "") })
	} else {
		serving.Go(func() { _ = s.server.Serve(ln) })
	}
	s.Cleanup(func() {
		_ = s.server.Close()
		serving.Wait()
	})
}

// end shuts the endpoint down, and checks the laws that hold for every connection of every check.
func (s *suite) end() {
	s.Helper()
	if !s.ended {
		ctx, cancel := context.WithTimeout(context.Background(), s.patience())
		defer cancel()
		if err := s.endpoint.Shutdown(ctx); err != nil {
			s.Errorf("Shutdown: %v", err)
		}
	}
	stats := s.stats()
	if n := s.endpoint.Stats().Sockets; n != 0 || stats.Open != 0 {
		s.Errorf("after Shutdown there are %d sockets, and the transport counts %d as open", n, stats.Open)
	}
	s.mu.Lock()
	all := s.all
	s.mu.Unlock()
	for _, p := range all {
		p.report()
	}
	if s.watch != nil {
		s.watch.report()
	}
	if s.Failed() {
		s.Logf("the log of the endpoint:\n%s", &s.log)
	}
}

// stats returns the counters of the transport.
func (s *suite) stats() transport.Stats { return s.endpoint.Stats().Transports[s.name] }

// patience returns how long to wait for an event. A transport that has failed one check may make all
// others wait in vain, so those wait for less.
func (s *suite) patience() time.Duration {
	if s.failed.Load() {
		return Patience / 9
	}
	return Patience
}

// until waits until ok returns true.
func (s *suite) until(what string, ok func() bool) {
	s.Helper()
	if !waittest.Within(s.patience(), ok) {
		s.Fatalf("this never came true: %s", what)
	}
}

// dial connects a client, which is cut when the check ends.
func (s *suite) dial(to Target) (*client, error) {
	s.Helper()
	to.URL, to.Handler = s.url, s.endpoint
	if to.Path == "" {
		to.Path = clientPath
	}
	if to.RawQuery == "" {
		to.RawQuery = "vsn=2.0.0"
	}
	if to.Header == nil {
		to.Header = http.Header{}
	}
	c, err := s.Dial(s.TB, to)
	if err != nil {
		return nil, err
	}
	s.Cleanup(c.Cut)
	return &client{Client: c, s: s}, nil
}

// connect connects a client, and returns both ends of the connection.
func (s *suite) connect() (*client, *peer) {
	s.Helper()
	return s.connectTo(Target{})
}

func (s *suite) connectTo(to Target) (*client, *peer) {
	s.Helper()
	c, err := s.dial(to)
	if err != nil {
		s.Fatalf("a client cannot connect: %v", err)
	}
	return c, s.accepted()
}

// accepted returns the server's end of the latest connection.
func (s *suite) accepted() *peer {
	s.Helper()
	select {
	case p := <-s.peers:
		return p
	case <-time.After(s.patience()):
		s.Fatalf("a client has connected, and no connection was opened")
	}
	return nil
}

// refused checks that a client is refused with a status.
func (s *suite) refused(to Target, status int) *Refused {
	s.Helper()
	c, err := s.dial(to)
	refused, ok := errors.AsType[*Refused](err)
	switch {
	case err == nil:
		s.Errorf("a client was let in that must be refused with status %d", status)
		c.Cut()
		return nil
	case !ok:
		s.Errorf("a client must be refused with status %d, and cannot connect: %v", status, err)
		return nil
	case refused.Status != status && (s.HTTP || refused.Status != 0):
		s.Errorf("a client was refused with status %d, want %d", refused.Status, status)
	}
	return refused
}

// client is a Client whose failures fail the check.
type client struct {
	Client
	s *suite
}

// send sends texts.
func (c *client) send(texts ...string) {
	c.s.Helper()
	for _, t := range texts {
		if err := c.Send(wire.Text, []byte(t)); err != nil {
			c.s.Fatalf("a client cannot send: %v", err)
		}
	}
}

// next receives one message.
func (c *client) next() (op wire.Opcode, data []byte) {
	c.s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.s.patience())
	defer cancel()
	op, data, err := c.Receive(ctx)
	if err != nil {
		c.s.Fatalf("a message for a client did not come: %v", err)
	}
	return op, data
}

// want checks that the next messages are these texts.
func (c *client) want(texts ...string) {
	c.s.Helper()
	for _, want := range texts {
		if op, data := c.next(); op != wire.Text || string(data) != want {
			c.s.Fatalf("a client received %s, want %.100s", shown(op, data), want)
		}
	}
}

// rest receives to the end of the connection, closes the client's side, too, and returns how many
// messages came before.
func (c *client) rest() (messages int) {
	c.s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.s.patience())
	defer cancel()
	for {
		if _, _, err := c.Receive(ctx); err != nil {
			if ctx.Err() != nil {
				c.s.Fatalf("a client never sees the end of its connection")
			}
			c.Close()
			return messages
		}
		messages++
	}
}

// closed checks that the connection ends with a code, if clients receive one. Other clients, such
// as those that poll, may simply get another connection.
func (c *client) closed(code transport.CloseCode) {
	c.s.Helper()
	if !c.s.CloseCodes {
		c.Cut()
		return
	}
	if n := c.rest(); n > 0 {
		c.s.Errorf("a client got %d messages before the end, want none", n)
	}
	if got, ok := c.Code(); got != code {
		c.s.Errorf("a client got the close code %d (%t), want %d", got, ok, code)
	}
}

// shown returns a message as text for a failure.
func shown(op wire.Opcode, data []byte) string {
	kind := "binary"
	if op == wire.Text {
		kind = "text"
	}
	return fmt.Sprintf("%s of %d bytes %.100q", kind, len(data), data)
}

// text returns a message in the form of version 2 of the protocol, since some transports carry only
// JSON.
func text(event string) string { return `[null,null,"room:blue","` + event + `",{}]` }

// large is text with a payload of a little more than n bytes.
func large(event string, n int) string {
	return `[null,null,"room:blue","` + event + `",{"x":"` + strings.Repeat("x", n) + `"}]`
}

// numbered returns a text with a number.
func numbered(i int) string { return text(strconv.Itoa(i)) }

func numberedAll(n int) (texts []string) {
	for i := range n {
		texts = append(texts, numbered(i))
	}
	return texts
}

// cell is a variable of a check that its hooks read in other goroutines.
type cell[T any] struct {
	mu sync.Mutex
	v  T
}

func (c *cell[T]) set(v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v = v
}

func (c *cell[T]) get() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.v
}
