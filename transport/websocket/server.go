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

// server owns the connections of one endpoint, their goroutines, and the flush workers that write
// for all of them. It has no goroutine while it has no connection, so a server that is dropped
// needs no Close. Its methods may be called from any goroutine.
//
// Lock order: conn.mu, then poller.mu or server.mu. No lock of a connection is taken while one of the
// latter is held, and flushMu is taken with no other lock held.
type server struct {
	book        *notice.Book
	start       time.Time
	maxFlushing int
	err         error // in the configuration; every mount returns it
	maxClosing  int   // bound of closing; 0 is no bound
	stats       seam.Counters
	goroutines  task.Group // goroutines, open connections and handshakes
	pollers     pollers
	floodgate   *floodgate // of parked connections

	flushMu      sync.Mutex // guards the fields below; no other lock is taken while it is held
	toFlush      flushList  // connections with frames to write
	toFlushLater flushList  // connections with only a ping or an idle end to write
	flushes      uint       // how often nextFlushLocked was called
	flushing     int        // flush workers that run, at most maxFlushing
	flushWorker  func()     // s.flushScheduled, made once

	mu      sync.Mutex // guards the fields below; no connection is called while it is held
	closed  bool
	code    transport.CloseCode // the argument of stop; 0 is Abort
	conns   connList            // open: their receivers are not told of an end
	closing connList            // those whose receivers are told of the end, the oldest first
}

// newServer returns a server. A nil cfg is the defaults.
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

// limits returns the limits for the options of a mount.
func (s *server) limits(opts *Options) (*limits, error) {
	if s.err != nil {
		return nil, s.err
	}
	return opts.limits()
}

// now returns the time on the server's clock, which starts with the server. It takes 8 bytes, and
// jumps of the system clock do not affect it.
func (s *server) now() time.Duration { return time.Since(s.start) }

// at returns a time on the server's clock as a deadline.
func (s *server) at(d time.Duration) time.Time { return s.start.Add(d) }

// enter reports whether a handshake may begin: the server is not closed. If so, Wait waits until
// the caller calls goroutines.Done.
func (s *server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.goroutines.Add()
	}
	return !s.closed
}

// open starts a connection. early has the bytes that arrived with the handshake. If the server was
// closed since enter, so is the connection.
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

// remove removes a connection whose socket is closed, and calls the function of AfterGone.
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

// linger moves a connection whose receiver is told of the end to closing.
func (s *server) linger(c *conn) {
	s.mu.Lock()
	s.conns.remove(c)
	s.closing.push(c)
	s.mu.Unlock()
	s.stats.Closing.Add(1)
}

// makeRoom cuts the connection that has waited longest for its client to close, if more than
// maxClosing wait.
func (s *server) makeRoom() {
	if s.maxClosing <= 0 || s.stats.Closing.Load() <= int64(s.maxClosing) {
		return
	}
	s.mu.Lock()
	c := s.closing.first
	if c != nil { // to the end of the list, so that the next call cuts another
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

// Abort implements seam.Server: all sockets are closed at once, including those of closing
// connections.
func (s *server) Abort() { s.stop(0) }

// stop is Close, or Abort if the code is 0.
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

// Wait implements seam.Server. After Close it takes at most the write timeout and the linger time,
// beside the time of Connect and of the receivers.
func (s *server) Wait(ctx context.Context) error { return s.goroutines.Wait(ctx) }

// Drained implements seam.Server: every connection that is closed ends by itself.
func (s *server) Drained(ctx context.Context) error { return s.Wait(ctx) }

// Stats implements seam.Server.
func (s *server) Stats() transport.Stats { return s.stats.Stats() }
