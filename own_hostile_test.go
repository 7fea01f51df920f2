package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// wrongLink is a script some of whose methods are functions.
type wrongLink struct {
	*script
	read  func() (wire.Opcode, []byte, error)
	write func() error
	close func(code transport.CloseCode) error
}

func (l *wrongLink) Read() (wire.Opcode, []byte, error) {
	if l.read != nil && len(l.say) == 0 {
		return l.read()
	}
	return l.script.Read()
}

func (l *wrongLink) Write(frames []transport.Frame, deadline time.Time) error {
	if l.write != nil {
		return l.write()
	}
	return l.script.Write(frames, deadline)
}

func (l *wrongLink) Close(code transport.CloseCode) error {
	if l.close != nil {
		return l.close(code)
	}
	return l.script.Close(code)
}

// joining is what a client says to join room:1.
const joining = `["1","1","room:1","phx_join",{}]`

// ownServer is an endpoint with a transport of the program's that does not listen.
type ownServer struct {
	*testing.T
	e   *bennu.Endpoint
	m   transport.Mount
	log *waittest.Buffer
}

func newOwnServer(t *testing.T, users *bennu.SocketHandler, handler func(log io.Writer) slog.Handler) *ownServer {
	s := &ownServer{T: t, log: &waittest.Buffer{}}
	s.e = bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(handler(s.log)), DrainTime: bennu.Unlimited})
	s.e.Socket("/socket", users, listing(&ownTransport{"own", func(m transport.Mount) error { s.m = m; return nil }}))
	return s
}

func textLog(log io.Writer) slog.Handler { return slog.NewTextHandler(log, nil) }

// serve accepts a client and serves its link. The channel gets the result of Serve.
func (s *ownServer) serve(l transport.Link) <-chan error {
	s.Helper()
	session, err := s.m.Accept(arriving("vsn=2.0.0"))
	if err != nil {
		s.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- session.Serve(l, nil) }()
	return served
}

// join serves a client that joins room:1, and waits for that.
func (s *ownServer) join() *script {
	s.Helper()
	client := newScript(joining)
	s.serve(client)
	waittest.Next(s, "the reply to the join", client.out)
	return client
}

// hears wants the client to get a broadcast.
func (s *ownServer) hears(client *script) {
	s.Helper()
	if err := s.e.Broadcast("room:1", "heard", said{"x"}); err != nil {
		s.Error(err)
	}
	for !strings.Contains(waittest.Next(s, "a broadcast", client.out), "heard") {
	}
}

// shutdown wants Shutdown to end in order.
func (s *ownServer) shutdown() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	if err := s.e.Shutdown(ctx); err != nil {
		s.Errorf("Shutdown: %v; %s", err, s.log)
	}
	if st := s.e.Stats(); st.Sockets != 0 || st.Callbacks != 0 || st.Transports["own"].Open != 0 {
		s.Errorf("left after Shutdown: %+v", st)
	}
}

// Law: a method that never returns harms its own connection alone, and Shutdown ends with its
// context.
func TestOwnLinkNeverReturns(t *testing.T) {
	for _, method := range []string{"Read", "Write", "Close", "Close(0)"} {
		t.Run(method, func(t *testing.T) {
			s := newOwnServer(t, one("*", rooms()), textLog)
			release := make(chan struct{})
			wrong := &wrongLink{script: newScript(joining)}
			switch method {
			case "Read":
				wrong.read = func() (wire.Opcode, []byte, error) { <-release; return 0, nil, io.EOF }
			case "Write":
				wrong.write = func() error { <-release; return nil }
			default:
				wrong.close = func(code transport.CloseCode) error {
					if (code == 0) == (method == "Close(0)") {
						<-release
					}
					return wrong.script.Close(code)
				}
			}
			served := s.serve(wrong)
			client := s.join()
			s.hears(client)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- s.e.Shutdown(ctx) }()
			if got := waittest.Next(t, "the end", client.out); got != "close 1012" {
				t.Errorf("another client got %s", got)
			}
			cancel()
			if err := waittest.Next(t, "the end of Shutdown", ended); !errors.Is(err, context.Canceled) {
				t.Errorf("Shutdown: %v", err)
			}
			if n := s.e.Stats().Sockets; n != 0 {
				t.Errorf("%d sockets do not know that they have ended", n)
			}
			close(release)
			waittest.Next(t, "the end of Serve", served)
			s.shutdown()
		})
	}
}

// Law: whatever a link returns or panics with is logged and ends its connection alone.
func TestOwnLinkOfHostileValues(t *testing.T) {
	for format, handler := range map[string]func(io.Writer) slog.Handler{
		"text": textLog,
		"json": func(log io.Writer) slog.Handler { return slog.NewJSONHandler(log, nil) },
	} {
		for name, v := range map[string]any{
			"error": hostileValue{}, "nil error": (*hostileValue)(nil), "nil ClosedError": (*transport.ClosedError)(nil),
			"abort": http.ErrAbortHandler, "not comparable": []func(){},
		} {
			t.Run(format+" "+name, func(t *testing.T) {
				s := newOwnServer(t, one("*", rooms()), handler)
				client := s.join()
				panicking := &wrongLink{script: newScript(), read: func() (wire.Opcode, []byte, error) { panic(v) }}
				if err := waittest.Next(t, "the end of Serve", s.serve(panicking)); !errors.Is(err, transport.ErrPanic) {
					t.Errorf("Serve returned %v", err)
				}
				if err, ok := v.(error); ok {
					failing := &wrongLink{script: newScript(joining), write: func() error { return err }}
					waittest.Next(t, "the end of Serve", s.serve(failing))
					failing = &wrongLink{script: newScript(), read: func() (wire.Opcode, []byte, error) { return 0, nil, err }}
					waittest.Next(t, "the end of Serve", s.serve(failing))
				}
				s.hears(client)
				s.shutdown()
				if n := s.e.Stats().Reasons["link_panic"]; n == 0 {
					t.Errorf("link_panic is not counted: %s", s.log)
				}
			})
		}
	}
}

// hostileValue is an error whose methods panic.
type hostileValue struct{ _ int }

func (*hostileValue) value() { panic("the bubble bursts") }

func (h hostileValue) Error() string                { (&h).value(); return "" }
func (h hostileValue) LogValue() slog.Value         { (&h).value(); return slog.Value{} }
func (h hostileValue) MarshalJSON() ([]byte, error) { (&h).value(); return nil, nil }
func (h hostileValue) Is(error) bool                { (&h).value(); return false }

func TestOwnLimitsOfHostileValues(t *testing.T) {
	var log waittest.Buffer
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	e.Socket("/socket", one("*", rooms()), listing(&ownTransport{"own", func(m transport.Mount) error {
		m.Limits(slog.Any("value", hostileValue{}), slog.Any("nil", (*hostileValue)(nil)), slog.Int("window", 7))
		m.Handle("own", http.NotFoundHandler())
		return nil
	}}))
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/socket/own", nil))
	if !strings.Contains(log.String(), `"window":7`) {
		t.Errorf("the limits are not in the log: %s", &log)
	}
}

// Law: a link may call the endpoint from its methods; bennu holds no lock then.
func TestOwnLinkCallsBack(t *testing.T) {
	users := one("*", rooms())
	users.ID = func(*bennu.Socket) string { return "user:1" }
	s := newOwnServer(t, users, textLog)
	loud := &wrongLink{script: newScript(joining)}
	again := func() {
		_ = s.e.Stats()
		_ = s.e.Broadcast("room:1", "heard", said{"x"})
		_ = s.e.Disconnect("user:1")
	}
	loud.write = func() error { again(); return nil }
	loud.close = func(code transport.CloseCode) error { again(); return loud.script.Close(code) }
	loud.read = func() (wire.Opcode, []byte, error) { again(); return loud.script.Read() }
	waittest.Next(t, "the end of Serve", s.serve(loud))
	s.shutdown()
}

// Law: after Shutdown nothing is accepted, and what was accepted before ends at once.
func TestOwnTransportAfterShutdown(t *testing.T) {
	users := one("*", rooms())
	users.ID = func(*bennu.Socket) string { return "user:1" }
	s := newOwnServer(t, users, textLog)
	session, err := s.m.Accept(arriving("vsn=2.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	s.shutdown()
	late := newScript(joining)
	if err := session.Serve(late, nil); err == nil || !strings.Contains(err.Error(), "1012") {
		t.Errorf("Serve returned %v", err)
	}
	if got := waittest.Next(t, "the end", late.out); got != "close 1012" {
		t.Errorf("the client got %s", got)
	}
	if _, err := s.m.Accept(arriving("vsn=2.0.0")); !errors.Is(err, transport.ErrBusy) {
		t.Errorf("Accept returned %v", err)
	}
	ended := make(chan error, 1)
	s.m.Go(func(ctx context.Context) { ended <- ctx.Err() })
	if err := waittest.Next(t, "a function of Go", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the context of a function has the error %v", err)
	}
	if n := s.e.Stats().Reasons["draining"]; n != 2 {
		t.Errorf("draining was counted %d times, want 2: %s", n, s.log)
	}
	s.shutdown()
}

// Law: one transport may have several mounts, and each client is one of its own mount.
func TestOwnTransportMountedTwice(t *testing.T) {
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	var latest transport.Mount
	wrong := false
	own := &ownTransport{"own", func(m transport.Mount) error {
		latest = m // a mistake
		m.Handle("own", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mount := m
			if wrong {
				mount = latest
			}
			session, err := mount.Accept(r)
			if err != nil {
				m.Refuse(w, r, err)
				return
			}
			client := newScript()
			client.leave()
			_ = session.Serve(client, nil)
		}))
		return nil
	}}
	connected := map[string]int{}
	for _, path := range []string{"/public", "/secret/:room"} {
		users := one("*", rooms())
		users.Connect = func(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
			connected[path+" "+fmt.Sprint(info.Params["room"])]++
			return nil
		}
		e.Socket(path, users, listing(own))
	}
	get := func(path string) int {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	get("/public/own")
	get("/secret/blue/own")
	wrong = true
	if status := get("/public/own"); status != http.StatusForbidden {
		t.Errorf("a client of another mount gets %d, want 403", status)
	}
	if fmt.Sprint(connected) != "map[/public <nil>:1 /secret/:room blue:1]" {
		t.Errorf("connected: %v", connected)
	}
	if n := e.Stats().Reasons["transport_misuse"]; n != 1 {
		t.Errorf("transport_misuse was counted %d times", n)
	}
	if s := e.Stats().Transports["own"]; s.Opened != 2 || s.Refused != 1 || s.Open != 0 {
		t.Errorf("counted as %+v", s)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// Law: a panic in a handler ends its request alone, even after it has taken the connection over.
func TestOwnHandlerPanicsAfterHijack(t *testing.T) {
	s := serve(t, one("*", rooms()), listing(&ownTransport{"own", func(m transport.Mount) error {
		m.Handle("own", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			nc, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			_, _ = m.Accept(r)
			m.Refuse(w, r, transport.ErrPanic) // too late
			panic("the bubble bursts")
		}))
		return nil
	}}), nil)
	at := strings.Replace(strings.TrimSuffix(s.url, "/websocket?vsn=2.0.0"), "ws://", "http://", 1) + "/own"
	for range 3 {
		if _, err := http.Get(at); err == nil {
			t.Error("a request whose connection was closed has an answer")
		}
	}
	// The client may see the end of its connection first.
	eventually(t, "each panic is counted", func() bool { return s.Stats().Reasons["request_panic"] == 3 })
	if all := s.log.all(); strings.Contains(all, "nil pointer") {
		t.Errorf("the answer to a panic panicked: %s", all)
	}
}
