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
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/websocket"
)

// A server is the fixture application in this process, with three paths more:
// /socket/behind, an endpoint with the options of behindProxy, which notes who
// connects; /socket/forever, an answer that never comes; and /socket/much, one that
// is more than all buffers of the system hold. Its health has a port of its own.
type server struct {
	backend
	endpoint *bennu.Endpoint
	behind   *bennu.Endpoint
	health   health

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

// startServer runs a server until the test ends. What change does to the options is
// what a recipe without them would have.
func startServer(t *testing.T, change ...func(*bennu.EndpointOptions, *bennu.SocketOptions)) *server {
	t.Helper()
	return startServerAt(t, backend{"127.0.0.1:0", "127.0.0.1:0"}, change...)
}

// startServerAt is startServer at some addresses.
func startServerAt(t *testing.T, at backend, change ...func(*bennu.EndpointOptions, *bennu.SocketOptions)) *server {
	t.Helper()
	s := &server{
		waiting: make(chan struct{}, 1), gone: make(chan struct{}, 1), written: make(chan error, 1),
		seen: map[string]visitor{},
	}
	logger := slog.New(slog.NewTextHandler(s, nil))
	s.endpoint = app.New(logger)
	options, mount := behindProxy()
	options.Logger = logger
	// It shall be the proxy that cuts.
	mount.Transports[0] = websocket.New(&websocket.Options{IdleTimeout: 5 * time.Minute})
	for _, c := range change {
		c(&options, &mount)
	}
	s.behind = bennu.NewEndpoint(&options)
	s.behind.Socket("/socket/behind", rooms(s.connect), &mount)

	mux := http.NewServeMux()
	mux.Handle("/", s.endpoint)
	mux.Handle("/socket/behind/", s.behind)
	mux.HandleFunc("/socket/forever", s.forever)
	mux.HandleFunc("/socket/much", s.much)
	s.Addr = s.serve(t, at.Addr, mux)
	s.Check = s.serve(t, at.Check, &s.health)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := errors.Join(s.endpoint.Shutdown(ctx), s.behind.Shutdown(ctx)); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.said())
		}
	})
	return s
}

// serve listens at an address until the test ends.
func (s *server) serve(t *testing.T, at string, h http.Handler) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	srv := s.endpoint.Server()
	srv.Handler, srv.ReadHeaderTimeout = h, 5*time.Minute // however busy the machine is
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
		<-done
	})
	return ln.Addr().String()
}

func (s *server) connect(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
	id, _ := info.Params.String("id")
	v := visitor{URL: info.URI().String(), For: info.Header()["X-Forwarded-For"], Proto: info.Header()["X-Forwarded-Proto"]}
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

// visitors is how many connected.
func (s *server) visitors() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
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

func (s *server) ws(path string) string { return "ws://" + s.Addr + path }

// said is the log.
func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Write takes the log.
func (s *server) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}
