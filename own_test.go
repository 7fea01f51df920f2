package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// ownTransport is a transport of the program's, whose Mount is a function.
type ownTransport struct {
	name  string
	mount func(m transport.Mount) error
}

func (o *ownTransport) Name() string                  { return o.name }
func (o *ownTransport) Mount(m transport.Mount) error { return o.mount(m) }

// script is a Link whose client sends some messages and then waits for the end.
type script struct {
	say []string
	out chan string // frames
	end chan struct{}

	once sync.Once // closes end
}

func newScript(say ...string) *script {
	return &script{say: say, out: make(chan string, 100), end: make(chan struct{})}
}

func (s *script) Read() (wire.Opcode, []byte, error) {
	if len(s.say) == 0 {
		<-s.end
		return 0, nil, io.EOF
	}
	text := s.say[0]
	s.say = s.say[1:]
	return wire.Text, []byte(text), nil
}

func (s *script) Write(frames []transport.Frame, _ time.Time) error {
	for _, f := range frames {
		s.out <- string(f.Payload())
	}
	return nil
}

func (s *script) Close(code transport.CloseCode) error {
	if code == 0 {
		s.leave()
	} else {
		s.out <- fmt.Sprint("close ", code)
	}
	return nil
}

// leave is the end of the client.
func (s *script) leave() { s.once.Do(func() { close(s.end) }) }

// listing lists transports.
func listing(all ...transport.Transport) *bennu.SocketOptions {
	return &bennu.SocketOptions{Transports: all}
}

// arriving is the request of a client that came by no path.
func arriving(query string) *http.Request {
	return &http.Request{URL: &url.URL{RawQuery: query}, RemoteAddr: "192.0.2.1:7"}
}

// said is a payload.
type said struct{ Text string }

// TestOwnTransport has a client of a transport that does not listen: it makes its client itself.
func TestOwnTransport(t *testing.T) {
	client := newScript(`["1","1","room:1","phx_join",{}]`)
	served := make(chan error, 1)
	var mounted transport.Mount
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	e.Socket("/socket", one("*", rooms()), listing(websocket.New(nil), &ownTransport{"own", func(m transport.Mount) error {
		mounted = m
		m.Logger().Info("mounted")
		return nil
	}}))
	if mounted.Root() != http.Handler(e) {
		t.Error("Root is not the endpoint")
	}
	s, err := mounted.Accept(arriving("vsn=2.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { served <- s.Serve(client, &transport.LinkOptions{MaxQueueBytes: 1000}) }()
	if got := waittest.Next(t, "the reply to the join", client.out); !strings.Contains(got, `"ok"`) {
		t.Errorf("the reply to the join is %s", got)
	}
	// A frame that is larger than its queue is refused, and does not close it as a slow client.
	if err := e.Broadcast("room:1", "large", said{strings.Repeat("x", 2000)}); err != nil && !errors.Is(err, bennu.ErrTooLarge) {
		t.Error(err)
	}
	if err := e.Broadcast("room:1", "small", said{"x"}); err != nil {
		t.Error(err)
	}
	if got := waittest.Next(t, "a broadcast", client.out); !strings.Contains(got, "small") {
		t.Errorf("got %s", got)
	}
	if n := e.Stats().Reasons["frame_too_large"]; n != 1 {
		t.Errorf("frame_too_large was counted %d times", n)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := waittest.Next(t, "the end", client.out); got != "close 1012" {
		t.Errorf("got %s, want close 1012", got)
	}
	if err := <-served; err == nil || !strings.Contains(err.Error(), "1012") {
		t.Errorf("Serve returned %v", err)
	}
	if s := e.Stats().Transports["own"]; s.Opened != 1 || s.Open != 0 || s.ServerClosed != 1 {
		t.Errorf("counted as %+v", s)
	}
}

func TestOwnTransportMistakes(t *testing.T) {
	fine := func(transport.Mount) error { return nil }
	handle := func(path string) func(transport.Mount) error {
		return func(m transport.Mount) error { m.Handle(path, http.NotFoundHandler()); return nil }
	}
	for want, opts := range map[string]*bennu.SocketOptions{
		"the name of Transports[1] is that of Transports[0]": listing(&ownTransport{"own", fine}, &ownTransport{"own", fine}),
		"(*bennu_test.ownTransport) is \"Own\"":              listing(&ownTransport{"Own", fine}),
		"(*bennu_test.ownTransport) is \"\"":                 listing(&ownTransport{"", fine}),
		"as Transports[0]; take it out":                      listing((*ownTransport)(nil)),
		"no listener":                                        listing(&ownTransport{"own", func(transport.Mount) error { return errors.New("no listener") }}),
		"the path /socket/websocket is already mounted":      listing(websocket.New(nil), &ownTransport{"own", handle("websocket")}),
		"give Mount.Handle one or more segments":             listing(&ownTransport{"own", handle("")}),
		"the path of transport own is \"/socket/own\"":       listing(&ownTransport{"own", handle("/socket/own")}),
		"is not a path of segments":                          listing(&ownTransport{"own", handle("{own}")}),
		"has the variable \":a\" twice":                      listing(&ownTransport{"own", handle(":a/:a")}),
		"has the variable \":key\", which TokenParam": {
			Checks: transport.Checks{TokenParam: "key"}, Transports: []transport.Transport{&ownTransport{"own", handle(":key/own")}},
		},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) || !strings.Contains(got, "own_test.go:") {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
			e.Socket("/socket", &bennu.SocketHandler{}, opts)
		})
	}
}

// A transport that listens by itself has clients while others are mounted.
func TestMountWhileServing(t *testing.T) {
	log := newLogbook()
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(log)})
	listening := &ownTransport{"own", func(m transport.Mount) error {
		m.Go(func(ctx context.Context) {
			for ctx.Err() == nil {
				if s, err := m.Accept(arriving("vsn=2.0.0")); err == nil {
					l := newScript(`["1","1","room:1","phx_join",{}]`)
					go func() { <-l.out; l.leave() }()
					_ = s.Serve(l, nil)
				}
			}
		})
		return nil
	}}
	e.Socket("/first", one("*", rooms()), listing(listening))
	eventually(t, "a client has connected", func() bool { return e.Stats().Transports["own"].Opened > 0 })
	for i := range 20 {
		e.Socket(fmt.Sprint("/later/", i), one("*", rooms()), listing(websocket.New(nil)))
		if err := e.Broadcast("room:1", "event", said{fmt.Sprint(i)}); err != nil {
			t.Error(err)
		}
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/elsewhere/websocket?vsn=2.0.0", nil))
	}
	if n := len(log.about("limits of a mount")); n < 20 {
		t.Errorf("the limits of %d mounts are in the log:\n%s", n, log.all())
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
