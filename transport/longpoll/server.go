package longpoll

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/rate"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// server owns the sessions of one endpoint and their goroutines. It has no
// goroutine while nothing happens, but each session has a timer, so a server that
// is dropped forgets its sessions after three windows. Its methods may be called
// from any goroutine.
type server struct {
	options option.Checker // of serverConfig; handler has its error
	book    *notice.Book
	start   time.Time
	pubsub  *pubsub.PubSub // nil for none
	keys    keys
	boot    id     // of this server, so that no other takes its tokens for its own
	node    string // where it runs
	stats   counters

	work      gate       // requests and sessions
	tasks     task.Group // what works for them
	closing   chan struct{}
	addresses rate.Counts

	// The bodies of posts: of each the first bytes, and the rest.
	firsts, rests budget
	// What is on its way to other servers, and what has come from them for clients here.
	flights, answers budget
	restsDefault     bool // no bound was given

	mu       sync.Mutex // not held while calling a session
	sessions map[id]*session
	mounts   uint32

	route route
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
	s := &server{
		book: notice.Of(log), start: time.Now(), pubsub: cfg.PubSub, keys: newKeys(cfg.Secret), boot: newID(),
		closing: make(chan struct{}), sessions: make(map[id]*session),
	}
	s.options.Of = "longpoll: "
	s.options.Secret("Secret", cfg.Secret)
	s.options.Count("MaxPostBytes", max(cfg.MaxPostBytes, 0), defaultMaxPostBytes, option.MaxCount)
	s.boundPosts(cfg.MaxPostBytes)
	s.flights.most = flightBytes
	if s.pubsub != nil {
		s.node = s.pubsub.Node()
		if len(s.node) > maxNode {
			log.Error("longpoll: the node's name is longer than 255 bytes, so other nodes cannot serve its sessions")
			s.pubsub, s.node = nil, ""
		}
	}
	return s
}

// now is the time on the server's clock, which knows nothing of wall-clock
// jumps.
func (s *server) now() time.Duration { return time.Since(s.start) }

// seal makes the token of a session of this server.
func (s *server) seal(session id, number uint64) string {
	return s.keys.seal(&token{number: number, session: session, boot: s.boot, node: s.node})
}

// add takes a session into the table. It reports false when the server is
// closed. The caller is in the gate.
func (s *server) add(ses *session) bool {
	s.mu.Lock()
	if !s.work.enter() {
		s.mu.Unlock()
		return false
	}
	s.sessions[ses.id] = ses
	s.mu.Unlock()
	s.stats.Open.Add(1)
	s.stats.Opened.Add(1)
	s.attach()
	return true
}

// forget takes out a session whose receiver knows of its end.
func (s *server) forget(ses *session) {
	s.mu.Lock()
	delete(s.sessions, ses.id)
	s.mu.Unlock()
	s.detach()
	ses.letGo()
	s.stats.Open.Add(-1)
	s.work.leave()
}

// session finds a session by its id.
func (s *server) session(i id) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[i]
}

// Close implements seam.Server: every request is answered with 503, and all sessions end. Each
// receiver is told a transport.ClosedError with code; no client can see it.
//
// A poll that waits is answered at once, with what is queued or with 503. That
// differs from the end of a single session, of which a waiting poll learns
// nothing before its window is over: here every poll is a request that
// http.Server.Shutdown waits for.
func (s *server) Close(code transport.CloseCode) {
	if !s.work.enter() { // so that Wait waits for this too
		return
	}
	defer s.work.leave()
	s.mu.Lock()
	if !s.work.close() { // another call was faster
		s.mu.Unlock()
		return
	}
	list := make([]*session, 0, len(s.sessions))
	for _, ses := range s.sessions {
		list = append(list, ses)
	}
	s.mu.Unlock()
	for _, ses := range list {
		ses.closeNow(code)
	}
	close(s.closing)
}

// Drained implements seam.Server. The polls of sessions that have ended wait for their window,
// unless the server closes.
func (s *server) Drained(context.Context) error { return nil }

// Abort implements seam.Server: after Close nothing can be cut that does not end by itself.
func (s *server) Abort() { s.Close(transport.CloseRestart) }

// Wait implements seam.Server. After Close it takes no longer than the acceptor and the receivers
// take, and the clients that are being read from or written to.
func (s *server) Wait(ctx context.Context) error {
	if err := s.work.wait(ctx); err != nil {
		return err
	}
	if err := s.tasks.Wait(ctx); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// gate counts who is inside and can be closed for others.
type gate struct {
	mu     sync.Mutex
	n      int
	closed bool
	empty  chan struct{} // made by who waits, closed when n comes to 0
}

// enter reports false when the gate is closed.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.n++
	}
	return !g.closed
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close reports false when the gate is closed already.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.closed
	g.closed = true
	return !was
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		if g.n == 0 {
			g.mu.Unlock()
			return nil
		}
		if g.empty == nil {
			g.empty = make(chan struct{})
		}
		empty := g.empty
		g.mu.Unlock()
		select {
		case <-empty:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refusing reports whether Close was called. It is so before the first session ends, so that
// no request takes the end of its session for one that concerns it alone.
func (s *server) refusing() bool { return s.work.isClosed() }
