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

// embeddedLink is a link to a server of its own.
type embeddedLink struct {
	*link
	server *server.Options
	peers  []string
	listen string
	log    *serverLog
	nats   *server.Server

	routes routes
	watch  sync.WaitGroup
	stop   chan struct{}
}

const (
	// serverTime is how long the server may take to start, and to let its only client in.
	serverTime = 10 * time.Second
	// peerDial is how long a peer may take to accept, to count as being there.
	peerDial = time.Second
	// peerTime is how long the routes to peers that are there may take.
	peerTime = 5 * time.Second
	// routeLook is how often the routes are looked at.
	routeLook = 250 * time.Millisecond
)

// Open implements cluster.Link.
func (l *embeddedLink) Open(ctx context.Context, e cluster.Events) error {
	if err := free(l.listen); err != nil {
		return err
	}
	s, err := server.NewServer(l.server)
	if err != nil {
		return fmt.Errorf("natspubsub: the embedded NATS server: %w", err)
	}
	s.SetLoggerV2(l.log, false, false, false)
	there := l.reachable(ctx)
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

// free says why a port cannot be listened on, which the server would not.
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

// reachable counts the peers that accept connections now.
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

// awaitRoutes waits for the routes to peers that are there. One that accepts but
// lets nobody in is told of, and not waited for long.
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

func (l *embeddedLink) addr() net.Addr {
	if l.nats == nil {
		return nil
	}
	if a := l.nats.ClusterAddr(); a != nil {
		return a
	}
	return nil
}

// InProcessConn implements nats.InProcessConnProvider.
func (l *embeddedLink) InProcessConn() (net.Conn, error) {
	c, err := l.nats.InProcessConn()
	if err != nil {
		return nil, err
	}
	return gated{c, l.gate}, nil
}

// Close implements cluster.Link.
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

// serverLog takes what the server has to say. Most of it is of no interest to
// anybody who does not operate NATS.
type serverLog struct {
	log  *slog.Logger
	book *notice.Book

	mu      sync.Mutex
	fatal   string
	refused time.Time // when it was last said that a peer and this node refuse each other
}

func newServerLog(log *slog.Logger) *serverLog {
	book := notice.NewBook(log)
	return &serverLog{log: slog.New(book.Log().HandlerOf("embedded NATS")), book: book}
}

func (s *serverLog) debug(text string) { s.log.Debug("embedded NATS: " + text) }

// last is why the server did not start.
func (s *serverLog) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == "" {
		return "it gives no reason"
	}
	return s.fatal
}

// The methods of server.Logger. The server tells of routine as loud as of trouble.

// Noticef implements server.Logger.
func (s *serverLog) Noticef(format string, v ...any) { s.debug(fmt.Sprintf(format, v...)) }

// Warnf implements server.Logger.
func (s *serverLog) Warnf(format string, v ...any) { s.complain(format, v) }

// Errorf implements server.Logger.
func (s *serverLog) Errorf(format string, v ...any) { s.complain(format, v) }

// routine begins what the server warns of though it is as it should be: the password of its
// only client, made a moment ago, and peers that are not there yet.
var routine = []string{"Plaintext passwords detected", "Error trying to connect to route"}

// refusals is how a server says that the passwords of two do not fit, the one that refuses
// and the one that is refused.
var refusals = []string{"authentication error", "Authorization Violation"}

// refusedPause is between two lines about that. Peers try again each second.
const refusedPause = time.Minute

// unlike says that a peer has another secret, if that is what the server complains of.
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

// Fatalf implements server.Logger. The process goes on.
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
