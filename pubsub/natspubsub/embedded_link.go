package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
