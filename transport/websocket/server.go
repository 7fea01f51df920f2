package websocket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// ErrServerClosed says that a Server takes no more connections.
var ErrServerClosed = errors.New("websocket: server closed")

// Server owns the connections of one endpoint: their goroutines, and the
// workers that write for all of them. It has no goroutine while it has no
// connection, so one that is dropped needs no Close. Its methods may be called
// from any goroutine.
type Server struct {
	log         *slog.Logger
	start       time.Time
	maxFlushing int
	stats       counters
	goroutines  group

	flushMu              sync.Mutex // held alone, never with another lock
	flushHead, flushTail *conn
	flushing             int

	mu     sync.Mutex // not held while calling a connection
	closed bool
	conns  *conn
}

// NewServer makes a server. A nil cfg means the defaults.
func NewServer(cfg *ServerConfig) *Server {
	if cfg == nil {
		cfg = &ServerConfig{}
	}
	s := &Server{log: cfg.Logger, maxFlushing: cfg.FlushWorkers, start: time.Now()}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.maxFlushing <= 0 {
		s.maxFlushing = runtime.GOMAXPROCS(0)
	}
	return s
}

// now is the time on the server's clock, which starts with the server, takes 8
// bytes and knows nothing of wall-clock jumps.
func (s *Server) now() time.Duration { return time.Since(s.start) }

// at turns a time on the server's clock into a deadline.
func (s *Server) at(d time.Duration) time.Time { return s.start.Add(d) }

// NewConn serves WebSocket on nc, for which the handshake is already done. The server
// owns nc from then on, also when it returns ErrServerClosed or an error of opts,
// and then closes it. Of opts only the limits count.
func (s *Server) NewConn(nc net.Conn, r transport.Receiver, opts *Options) (transport.Conn, error) {
	l, err := opts.limits()
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return s.open(nc, r, l, nil)
}

// open starts a connection. The bytes in early arrived with the handshake.
func (s *Server) open(nc net.Conn, r transport.Receiver, l *limits, early []byte) (*conn, error) {
	c := s.newConn(nc, r, l)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = nc.Close()
		return nil, ErrServerClosed
	}
	if c.next = s.conns; c.next != nil {
		c.next.prev = c
	}
	s.conns = c
	s.goroutines.add()
	s.mu.Unlock()
	s.stats.open.Add(1)
	s.stats.opened.Add(1)
	go c.run(early)
	return c, nil
}

// remove forgets a connection whose socket is closed.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.conns = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	s.mu.Unlock()
	s.stats.open.Add(-1)
}

// Close makes the server refuse new connections, with 503, and closes all that
// are open with code. It does not wait; Wait does. Calling it again closes
// nothing more.
func (s *Server) Close(code transport.CloseCode) {
	for _, c := range s.stop() {
		c.Close(code)
	}
}

// Abort is Close without a close frame and without writing what is queued: all
// sockets are closed at once, those of closing connections too.
func (s *Server) Abort() {
	for _, c := range s.stop() {
		c.lost(transport.ErrLost)
		c.reset()
	}
}

// stop refuses new connections and lists the ones there are.
func (s *Server) stop() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var list []*conn
	for c := s.conns; c != nil; c = c.next {
		list = append(list, c)
	}
	return list
}

func (s *Server) refusing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Wait waits until the server has no goroutine left, or for ctx and returns its
// cause. After Close that takes at most the write timeout and the linger time.
func (s *Server) Wait(ctx context.Context) error { return s.goroutines.wait(ctx) }

// group counts goroutines. Unlike a sync.WaitGroup it may grow from zero while
// somebody waits.
type group struct {
	n    atomic.Int64
	mu   sync.Mutex
	zero chan struct{} // made by who waits, closed when n comes to 0
}

func (g *group) add() { g.n.Add(1) }

func (g *group) done() {
	if g.n.Add(-1) > 0 {
		return
	}
	g.mu.Lock()
	if g.zero != nil {
		close(g.zero)
		g.zero = nil
	}
	g.mu.Unlock()
}

func (g *group) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		if g.n.Load() == 0 {
			g.mu.Unlock()
			return nil
		}
		if g.zero == nil {
			g.zero = make(chan struct{})
		}
		zero := g.zero
		g.mu.Unlock()
		select {
		case <-zero:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
