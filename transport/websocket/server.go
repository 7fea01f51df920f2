package websocket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/transport"
)

// ErrServerClosed says that a Server takes no more connections.
var ErrServerClosed = errors.New("websocket: server closed")

// Server owns the connections of one endpoint: their goroutines, and the
// workers that write for all of them. It has no goroutine while it has no
// connection, so one that is dropped needs no Close. Its methods may be called
// from any goroutine.
type Server struct {
	book        *notice.Book
	start       time.Time
	maxFlushing int
	err         error // of the configuration; every mount gets it
	maxClosing  int   // 0 is none
	stats       counters
	goroutines  task.Group // and connections
	pollers     pollers
	floodgate   *floodgate // of connections with a goroutine of their own

	flushMu      sync.Mutex // held alone, never with another lock
	toFlush      flushList
	toFlushLater flushList
	flushes      uint // how many connections were taken out of both
	flushing     int
	flushWorker  func() // s.flushScheduled, made once

	mu      sync.Mutex // not held while calling a connection
	closed  bool
	code    transport.CloseCode // what closed said; 0 is Abort
	conns   connList
	closing connList // those whose receivers are told of the end, the oldest first
}

// NewServer makes a server. A nil cfg means the defaults.
func NewServer(cfg *ServerConfig) *Server {
	if cfg == nil {
		cfg = &ServerConfig{}
	}
	log := cfg.Logger
	if log == nil {
		log = slog.Default()
	}
	s := &Server{book: notice.Of(log), maxFlushing: cfg.FlushWorkers, maxClosing: cfg.MaxClosing, start: time.Now()}
	switch {
	case s.maxFlushing <= 0:
		s.maxFlushing = runtime.GOMAXPROCS(0)
	case s.maxFlushing > option.MaxCount:
		s.err = fmt.Errorf("websocket: ServerConfig.FlushWorkers is %d; use up to %d, or 0 for the default", s.maxFlushing, option.MaxCount)
	}
	s.flushWorker = s.flushScheduled
	s.floodgate = newFloodgate()
	if !cfg.NoEpoll {
		s.makePollers(runtime.GOMAXPROCS(0))
	}
	return s
}

// limits are the limits of a mount or a connection.
func (s *Server) limits(opts *Options) (*limits, error) {
	if s.err != nil {
		return nil, s.err
	}
	return opts.limits()
}

// now is the time on the server's clock, which starts with the server, takes 8
// bytes and knows nothing of wall-clock jumps.
func (s *Server) now() time.Duration { return time.Since(s.start) }

// at turns a time on the server's clock into a deadline.
func (s *Server) at(d time.Duration) time.Time { return s.start.Add(d) }

// NewConn serves WebSocket on nc, for which the handshake is already done. The server
// owns nc from then on, also when it returns ErrServerClosed or an error of opts,
// and then closes it. Of opts only the limits count.
func (s *Server) NewConn(nc net.Conn, r seam.Receiver, opts *Options) (seam.Conn, error) {
	l, err := s.limits(opts)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	if !s.enter() {
		_ = nc.Close()
		return nil, ErrServerClosed
	}
	defer s.goroutines.Done()
	return s.open(nc, r, l, nil), nil
}

// enter lets a handshake begin unless the server is closed. Wait waits for it,
// until the caller calls goroutines.Done.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.goroutines.Add()
	}
	return !s.closed
}

// open starts a connection. The bytes in early arrived with the handshake. If
// the server was closed since enter, so is the connection.
func (s *Server) open(nc net.Conn, r seam.Receiver, l *limits, early []byte) *conn {
	c := s.newConn(nc, r, l)
	s.mu.Lock()
	s.conns.push(c)
	s.goroutines.Add()
	closed, code := s.closed, s.code
	s.mu.Unlock()
	s.stats.open.Add(1)
	s.stats.opened.Add(1)
	c.engine.start(early)
	if closed {
		c.closeOrAbort(code)
	}
	return c
}

// remove forgets a connection whose socket is closed.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	s.closing.remove(c)
	s.mu.Unlock()
	s.stats.lingering.Add(-1)
	s.stats.open.Add(-1)
	if c.gone != nil {
		c.gone()
	}
}

// linger counts a connection whose receiver is told of the end, until remove.
func (s *Server) linger(c *conn) {
	s.mu.Lock()
	s.conns.remove(c)
	s.closing.push(c)
	s.mu.Unlock()
	s.stats.lingering.Add(1)
}

// makeRoom cuts a closed connection if there are more than there may be: the one that has waited
// longest for its client.
func (s *Server) makeRoom() {
	if s.maxClosing <= 0 || s.stats.lingering.Load() <= int64(s.maxClosing) {
		return
	}
	s.mu.Lock()
	c := s.closing.first
	if c != nil { // the next time another, should this one still be there
		s.closing.remove(c)
		s.closing.push(c)
	}
	s.mu.Unlock()
	if c != nil {
		s.book.Say(notice.LingerCut, c.about(slog.Int("limit", s.maxClosing))...)
		c.lost(transport.ErrLost, true)
	}
}

// Close makes the server refuse new connections, with 503, and closes all that
// are open with code. It does not wait; Wait does. Calling it again closes
// nothing more.
func (s *Server) Close(code transport.CloseCode) { s.stop(code) }

// Abort is Close without a close frame and without writing what is queued: all
// sockets are closed at once, those of closing connections too.
func (s *Server) Abort() { s.stop(0) }

func (s *Server) stop(code transport.CloseCode) {
	var list []*conn
	s.mu.Lock()
	if !s.closed || code == 0 {
		s.code = code
	}
	s.closed = true
	for _, l := range []*connList{&s.conns, &s.closing} {
		for c := l.first; c != nil; c = c.next {
			list = append(list, c)
		}
	}
	s.mu.Unlock()
	for _, c := range list {
		c.closeOrAbort(code)
	}
}

// Wait waits until the server has no goroutine left and no handshake in
// progress, or for ctx and returns its cause. After Close that takes at most the
// write timeout and the linger time, beside what the acceptor and the receivers
// take.
func (s *Server) Wait(ctx context.Context) error { return s.goroutines.Wait(ctx) }
