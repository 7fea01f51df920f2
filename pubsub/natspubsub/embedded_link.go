package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// embeddedLink is a link to a NATS server that it runs in this process. It also implements
// cluster.Router, since it sees the routes of its server to those of the peers.
type embeddedLink struct {
	*link
	server *server.Options // its configuration
	peers  []string
	listen string
	log    *serverLog
	nats   *server.Server // nil before Open

	routes routes
	watch  sync.WaitGroup // the goroutine of watchRoutes
	stop   chan struct{}  // closed by Close
}

const (
	// serverTime bounds the start of the server, and the login of its client.
	serverTime = 10 * time.Second
	// peerDial bounds the attempt to reach a peer at the start. Only a peer that accepts within it
	// is waited for.
	peerDial = time.Second
	// peerTime bounds the wait for routes to running peers.
	peerTime = 5 * time.Second
	// routeLook is the time between two looks at the routes.
	routeLook = 250 * time.Millisecond
)

// Open implements cluster.Link. It starts the server, connects to it, and waits for routes to running
// peers.
func (l *embeddedLink) Open(ctx context.Context, e cluster.Events) error {
	if err := free(l.listen); err != nil {
		return err
	}
	s, err := server.NewServer(l.server)
	if err != nil {
		return fmt.Errorf("natspubsub: the embedded NATS server: %w", err)
	}
	s.SetLoggerV2(l.log, false, false, false)
	there := l.reachable(ctx) // before the start, while no peer waits for this node
	s.Start()
	l.nats = s
	fail := func(err error) error {
		s.Shutdown()
		s.WaitForShutdown()
		l.nats = nil
		return err
	}
	if !s.ReadyForConnections(serverTime) {
		return fail(fmt.Errorf("natspubsub: the embedded NATS server did not start on %s: %s", l.listen, l.log.last()))
	}
	if err := l.link.Open(ctx, e); err != nil {
		return fail(err)
	}
	l.stop = make(chan struct{})
	l.awaitRoutes(ctx, there)
	l.watch.Go(l.watchRoutes)
	return nil
}

// free returns an error if it is not possible to listen on the address. The error of the server would not
// have the reason.
func free(listen string) error {
	ln, err := net.Listen("tcp", listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("natspubsub: the cluster port %s is taken: %w; stop the program that has it, or set Listen to another", listen, syscall.EADDRINUSE)
	case err != nil:
		return fmt.Errorf("natspubsub: cannot listen on %s: %w", listen, err)
	}
	return ln.Close()
}

// reachable returns the number of peers that accept connections now.
func (l *embeddedLink) reachable(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, peerDial)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	n := 0
	for _, p := range l.peers {
		all.Go(func() {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", p)
			if err != nil {
				return
			}
			c.Close()
			mu.Lock()
			defer mu.Unlock()
			n++
		})
	}
	all.Wait()
	return n
}

// awaitRoutes waits until there are as many routes as running peers. If a peer accepts connections but
// makes no route, the wait ends after peerTime, and that is logged.
func (l *embeddedLink) awaitRoutes(ctx context.Context, there int) {
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(l.look()) < there {
		select {
		case <-tick.C:
		case <-ctx.Done():
			l.log.book.Say(notice.PeerApart, slog.Int("connected", len(l.look())), slog.Int("peers", there))
			return
		}
	}
}

// addr returns the address of the cluster port, or nil before the start.
func (l *embeddedLink) addr() net.Addr {
	if l.nats == nil {
		return nil
	}
	if a := l.nats.ClusterAddr(); a != nil {
		return a
	}
	return nil
}

// InProcessConn implements nats.InProcessConnProvider: the client connects without a network.
func (l *embeddedLink) InProcessConn() (net.Conn, error) {
	c, err := l.nats.InProcessConn()
	if err != nil {
		return nil, err
	}
	return gated{c, l.gate}, nil
}

// Close implements cluster.Link. It ends the client first, so that its last messages are sent.
func (l *embeddedLink) Close() {
	if l.nats == nil {
		return
	}
	close(l.stop)
	l.watch.Wait()
	l.link.Close()
	l.nats.Shutdown()
	l.nats.WaitForShutdown()
}

// serverLog is the logger of the server. Routine lines, which interest only operators of NATS, are logged
// at level debug.
type serverLog struct {
	log  *slog.Logger
	book *notice.Book

	mu      sync.Mutex
	fatal   string    // the reason of a failed start
	refused time.Time // of the last line about a refused peer
}

func newServerLog(log *slog.Logger) *serverLog {
	book := notice.NewBook(log)
	return &serverLog{log: slog.New(book.Log().HandlerOf("embedded NATS")), book: book}
}

func (s *serverLog) debug(text string) { s.log.Debug("embedded NATS: " + text) }

// last returns the reason why the server did not start.
func (s *serverLog) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == "" {
		return "the server has logged no reason"
	}
	return s.fatal
}

// The methods of server.Logger. The server uses the same levels for routine and for trouble.

// Noticef implements server.Logger.
func (s *serverLog) Noticef(format string, v ...any) { s.debug(fmt.Sprintf(format, v...)) }

// Warnf implements server.Logger.
func (s *serverLog) Warnf(format string, v ...any) { s.complain(format, v) }

// Errorf implements server.Logger.
func (s *serverLog) Errorf(format string, v ...any) { s.complain(format, v) }

// routine has the beginnings of warnings that are normal here: about the password of the client in this
// process, and about peers that are not running yet.
var routine = []string{"Plaintext passwords detected", "Error trying to connect to route"}

// refusals has parts of the lines that two servers with different passwords log: the server that refuses,
// and the one that is refused.
var refusals = []string{"authentication error", "Authorization Violation"}

// refusedPause is the time between two lines about refused peers, which try again every second.
const refusedPause = time.Minute

// unlike reports whether a text is about a peer with another secret. It logs or counts those.
func (s *serverLog) unlike(text string) bool {
	if !slices.ContainsFunc(refusals, func(r string) bool { return strings.Contains(text, r) }) {
		return false
	}
	s.mu.Lock()
	now := time.Now()
	due := s.refused.IsZero() || now.Sub(s.refused) > refusedPause
	if due {
		s.refused = now
	}
	s.mu.Unlock()
	if due {
		s.book.Say(notice.PeerSecret, slog.String("error", text))
	} else {
		s.book.Tally(notice.PeerSecret)
	}
	return true
}

// complain logs a warning or an error of the server.
func (s *serverLog) complain(format string, v []any) {
	text := fmt.Sprintf(format, v...)
	switch {
	case s.unlike(text):
	case slices.ContainsFunc(routine, func(begin string) bool { return strings.HasPrefix(format, begin) }):
		s.debug(text)
	default:
		s.book.Say(notice.EmbeddedServer, slog.String("error", text))
	}
}

// Fatalf implements server.Logger. It does not end the process, as the logger of NATS would.
func (s *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	s.mu.Lock()
	s.fatal = text
	s.mu.Unlock()
	s.book.Say(notice.EmbeddedServer, slog.String("error", text))
}

// Debugf implements server.Logger.
func (s *serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (s *serverLog) Tracef(string, ...any) {}
