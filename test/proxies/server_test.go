package proxies

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/conformance/fixture/app"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// A server is the fixture application in this process, with three paths more:
// /socket/behind, for pages of the address that the proxy has, which notes who
// connects; /socket/forever, an answer that never comes; and /socket/much, one that
// is more than all buffers of the system hold.
type server struct {
	addr     string
	endpoint *bennu.Endpoint

	waiting chan struct{} // a request for /socket/forever has come
	gone    chan struct{} // its client has gone
	written chan error    // how writing the answer to /socket/much ended

	mu   sync.Mutex
	seen map[string]visitor // by the parameter "id"
	log  bytes.Buffer
}

// visitor is what Connect is told.
type visitor struct {
	For, Proto []string // the lines X-Forwarded-For and X-Forwarded-Proto
	URL        string
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{
		waiting: make(chan struct{}, 1), gone: make(chan struct{}, 1), written: make(chan error, 1),
		seen: map[string]visitor{},
	}
	s.endpoint = app.New(slog.New(slog.NewTextHandler(s, nil)))
	var behind bennu.SocketHandler
	behind.Connect = s.connect
	s.endpoint.Socket("/socket/behind", &behind, behindProxy())

	mux := http.NewServeMux()
	mux.Handle("/", s.endpoint)
	mux.HandleFunc("/socket/forever", s.forever)
	mux.HandleFunc("/socket/much", s.much)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	srv := s.endpoint.Server()
	srv.Handler = mux
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := errors.Join(s.endpoint.Shutdown(ctx), srv.Close()); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
		<-done
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	return s
}

// behindProxy are the options of a mount behind a proxy that ends TLS.
func behindProxy() *bennu.SocketOptions {
	scheme := func(r *http.Request) string { return r.Header.Get("X-Forwarded-Proto") }
	return &bennu.SocketOptions{
		Checks: transport.Checks{Scheme: scheme, Origin: transport.SameOrigin(scheme)},
		// It shall be the proxy that cuts.
		WebSocket: websocket.Options{IdleTimeout: 5 * time.Minute},
	}
}

func (s *server) connect(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
	id, _ := info.Params.String("id")
	v := visitor{URL: info.URI().String()}
	for _, h := range info.XHeaders() {
		switch h.Name {
		case "x-forwarded-for":
			v.For = append(v.For, h.Value)
		case "x-forwarded-proto":
			v.Proto = append(v.Proto, h.Value)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[id] = v
	return nil
}

// visitor is who connected with an id.
func (s *server) visitor(id string) (visitor, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.seen[id]
	return v, ok
}

func (s *server) forever(_ http.ResponseWriter, r *http.Request) {
	s.waiting <- struct{}{}
	<-r.Context().Done()
	s.gone <- struct{}{}
}

func (s *server) much(w http.ResponseWriter, _ *http.Request) {
	out, chunk := http.NewResponseController(w), make([]byte, 64<<10)
	var err error
	for n := 0; n < 64<<20 && err == nil; n += len(chunk) {
		// Long for a buffer to take it, short for a test to wait.
		if err = out.SetWriteDeadline(time.Now().Add(time.Second)); err == nil {
			_, err = w.Write(chunk)
		}
	}
	s.written <- err
}

func (s *server) ws(path string) string { return "ws://" + s.addr + path }

// Write takes the log.
func (s *server) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}
