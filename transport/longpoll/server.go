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

// server owns the sessions of one endpoint and their goroutines. It has no goroutine while nothing
// happens, but each session has a timer, so a server that is dropped forgets its sessions after
// three windows. Its methods may be called from any goroutine.
type server struct {
	options option.Checker // of serverConfig; handler has its error
	book    *notice.Book
	start   time.Time
	pubsub  *pubsub.PubSub // nil if sessions can be reached on this server alone
	keys    keys
	boot    id     // random id of this server, by which tokens name it
	node    string // name of the node in the cluster
	stats   counters

	work      gate          // requests and sessions
	tasks     task.Group    // their goroutines
	closing   chan struct{} // closed by Close, after all sessions have ended
	addresses rate.Counts   // sessions by address

	// The bodies of posts: the first bytes of each, and the rest.
	firsts, rests budget
	// The bodies on the way to other servers, and those that have arrived for clients here.
	flights, answers budget
	restsDefault     bool // serverConfig.MaxPostBytes is not set

	mu       sync.Mutex // guards the fields below; no session is called while it is held
	sessions map[id]*session
	mounts   uint32 // number of handlers

	route route
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

// now returns the time on the server's clock, which jumps of the system clock do not affect.
func (s *server) now() time.Duration { return time.Since(s.start) }

// seal returns the text of a token of a session of this server.
func (s *server) seal(session id, number uint64) string {
	return s.keys.seal(&token{number: number, session: session, boot: s.boot, node: s.node})
}

// add adds a session. It reports false when the server is closed. The caller is in the gate, so
// Wait cannot have returned.
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

// forget removes a session whose receiver was told of its end.
func (s *server) forget(ses *session) {
	s.mu.Lock()
	delete(s.sessions, ses.id)
	s.mu.Unlock()
	s.detach()
	ses.letGo()
	s.stats.Open.Add(-1)
	s.work.leave()
}

// session returns the session with an id, or nil.
func (s *server) session(i id) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[i]
}

// Close implements seam.Server: every request is answered with 503, and all sessions end. Each
// receiver gets a *transport.ClosedError with code, which no client can see.
//
// A poll that waits is answered at once, with the messages that are queued or with 503. When a
// single session ends, its poll waits for the rest of its window instead; but here
// http.Server.Shutdown waits for every poll.
//
// The order matters: the gate is closed first, so that requests are refused and no session is added;
// then the sessions end; then closing is closed, which wakes the polls.
func (s *server) Close(code transport.CloseCode) {
	if !s.work.enter() { // makes Wait wait for this call
		return
	}
	defer s.work.leave()
	s.mu.Lock()
	if !s.work.close() { // another call has closed it
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

// Drained implements seam.Server. It does not wait: polls of sessions that have ended wait for
// their window, unless the server closes.
func (s *server) Drained(context.Context) error { return nil }

// Abort implements seam.Server. It is Close: what is left after that ends by itself.
func (s *server) Abort() { s.Close(transport.CloseRestart) }

// Wait implements seam.Server. After Close it takes no longer than Connect, the receivers, and the
// reading and writing of requests that are being answered.
func (s *server) Wait(ctx context.Context) error {
	if err := s.work.wait(ctx); err != nil {
		return err
	}
	if err := s.tasks.Wait(ctx); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// gate counts requests and sessions, and can be closed for new ones. Wait waits until it is empty.
// It is a task.Group that can refuse: once it is closed and empty, nothing can begin.
type gate struct {
	mu     sync.Mutex
	n      int
	closed bool
	empty  chan struct{} // made by wait, closed when n reaches 0
}

// enter counts one more, unless the gate is closed: then it reports false.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.n++
	}
	return !g.closed
}

// leave undoes enter.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close closes the gate, and reports false if it was closed already.
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

// wait waits for a moment at which nobody is inside, or until ctx ends: then it returns its cause.
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

// refusing reports whether Close was called. That is so before the first session ends, so no
// request mistakes the end of the server for that of its session alone.
func (s *server) refusing() bool { return s.work.isClosed() }
