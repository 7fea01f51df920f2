package clients

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/testport"
)

// A server serves an application. Its address stays the same when it restarts.
type server struct {
	app  func(*slog.Logger) *bennu.Endpoint
	addr string
	log  *tail

	mu   sync.Mutex
	stop context.CancelFunc
	done chan error
}

func startServer(t *testing.T, app func(*slog.Logger) *bennu.Endpoint) *server {
	t.Helper()
	s := &server{app: app, addr: testport.Addr(t), log: &tail{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.end(); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	return s
}

// restart ends the server as a deployment would, and starts a new one in its
// place.
func (s *server) restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.end(), s.start())
}

func (s *server) start() error {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	endpoint := s.app(slog.New(slog.NewTextHandler(s.log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s.stop, s.done = cancel, done
	go func() { done <- endpoint.Serve(ctx, ln) }()
	return nil
}

func (s *server) end() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	s.stop = nil
	if err := <-s.done; err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// serveHTTP serves until the test ends, on a port of its own.
func serveHTTP(t *testing.T, h http.Handler) (port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// tailSize is how much a tail keeps at least.
const tailSize = 32 << 10

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, p...)
	if n := len(l.kept); n > 2*tailSize {
		l.kept = append(l.kept[:0], l.kept[n-tailSize:]...)
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}
