package websocket

import (
	"context"
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

// server owns the connections of one endpoint: their goroutines, and the
// workers that write for all of them. It has no goroutine while it has no
// connection, so one that is dropped needs no Close. Its methods may be called
// from any goroutine.
type server struct {
	book        *notice.Book
	start       time.Time
	maxFlushing int
	err         error // of the configuration; every mount gets it
	maxClosing  int   // 0 is none
	stats       seam.Counters
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

// newServer makes a server. A nil cfg means the defaults.
func newServer(cfg *serverConfig) *server {
	if cfg == nil {
		cfg = &serverConfig{}
	}
	log := cfg.Logger
	if log == nil {
		log = slog.Default()
	}
	s := &server{book: notice.Of(log), maxFlushing: cfg.FlushWorkers, maxClosing: cfg.MaxClosing, start: time.Now()}
	switch {
	case s.maxFlushing <= 0:
		s.maxFlushing = runtime.GOMAXPROCS(0)
	case s.maxFlushing > option.MaxCount:
		s.err = fmt.Errorf("websocket: FlushWorkers is %d; use up to %d, or 0 for the default", s.maxFlushing, option.MaxCount)
	}
	s.flushWorker = s.flushScheduled
	s.floodgate = newFloodgate()
	if !cfg.NoEpoll {
		s.makePollers(runtime.GOMAXPROCS(0))
	}
	return s
}

// limits are the limits of a mount or a connection.
func (s *server) limits(opts *Options) (*limits, error) {
	if s.err != nil {
		return nil, s.err
	}
	return opts.limits()
}

// now is the time on the server's clock, which starts with the server, takes 8
// bytes and knows nothing of wall-clock jumps.
func (s *server) now() time.Duration { return time.Since(s.start) }

// at turns a time on the server's clock into a deadline.
func (s *server) at(d time.Duration) time.Time { return s.start.Add(d) }

// enter lets a handshake begin unless the server is closed. Wait waits for it,
// until the caller calls goroutines.Done.
func (s *server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.goroutines.Add()
	}
	return !s.closed
}

// open starts a connection. The bytes in early arrived with the handshake. If
// the server was closed since enter, so is the connection.
func (s *server) open(nc net.Conn, r seam.Receiver, l *limits, early []byte) *conn {
	c := s.newConn(nc, r, l)
	s.mu.Lock()
	s.conns.push(c)
	s.goroutines.Add()
	closed, code := s.closed, s.code
	s.mu.Unlock()
	s.stats.Open.Add(1)
	s.stats.Opened.Add(1)
	c.engine.start(early)
	if closed {
		c.closeOrAbort(code)
	}
	return c
}

// remove forgets a connection whose socket is closed.
func (s *server) remove(c *conn) {
	s.mu.Lock()
	s.closing.remove(c)
	s.mu.Unlock()
	s.stats.Closing.Add(-1)
	s.stats.Open.Add(-1)
	if c.gone != nil {
		c.gone()
	}
}

// linger counts a connection whose receiver is told of the end, until remove.
func (s *server) linger(c *conn) {
	s.mu.Lock()
	s.conns.remove(c)
	s.closing.push(c)
	s.mu.Unlock()
	s.stats.Closing.Add(1)
}

// makeRoom cuts a closed connection if there are more than there may be: the one that has waited
// longest for its client.
func (s *server) makeRoom() {
	if s.maxClosing <= 0 || s.stats.Closing.Load() <= int64(s.maxClosing) {
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

// Close implements seam.Server. New connections are refused with 503.
func (s *server) Close(code transport.CloseCode) { s.stop(code) }

// Abort implements seam.Server: all sockets are closed at once, those of closing connections
// too.
func (s *server) Abort() { s.stop(0) }

func (s *server) stop(code transport.CloseCode) {
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

// Wait implements seam.Server. After Close it takes at most the write timeout and the linger
// time, beside what the acceptor and the receivers take.
func (s *server) Wait(ctx context.Context) error { return s.goroutines.Wait(ctx) }

// Drained implements seam.Server: connections that are closed end by themselves.
func (s *server) Drained(ctx context.Context) error { return s.Wait(ctx) }

// Stats implements seam.Server.
func (s *server) Stats() transport.Stats { return s.stats.Stats() }
