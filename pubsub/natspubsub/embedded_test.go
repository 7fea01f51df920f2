package natspubsub

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

func embedded(t testing.TB, o EmbeddedOptions) *Embedded {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	e, err := NewEmbedded(&o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGossip gives each node one peer: nodes learn of the others from each other.
func TestGossip(t *testing.T) {
	t.Parallel()
	first := embedded(t, EmbeddedOptions{Node: "0"})
	nodes := []*pubsub.PubSub{pubsubtest.Start(t, first, nil)}
	for i := 1; i < 5; i++ {
		nodes = append(nodes, pubsubtest.Start(t, embedded(t, EmbeddedOptions{Node: fmt.Sprint(i), Peers: []string{first.Addr().String()}}), nil))
	}
	for i, p := range nodes {
		eventually(t, "each node knows all others", func() bool { return len(p.Health().Peers) == len(nodes)-1 })
		box := newInbox()
		await(t, p.Subscribe(fmt.Sprint(i), box))
		for k, from := range nodes {
			if k == i {
				continue
			}
			if err := from.Broadcast(&pubsub.Message{Topic: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
			box.next(t)
		}
	}
}

// TestLatePeer has a peer in the options that does not run yet.
func TestLatePeer(t *testing.T) {
	t.Parallel()
	later := testport.Addr(t)
	_, port, err := net.SplitHostPort(later)
	if err != nil {
		t.Fatal(err)
	}
	// By a host name, as a DNS name of all nodes.
	p := pubsubtest.Start(t, embedded(t, EmbeddedOptions{Node: "a", Peers: []string{net.JoinHostPort("localhost", port)}}), nil)
	box := newInbox()
	await(t, p.Subscribe("t", box))
	q := pubsubtest.Start(t, embedded(t, EmbeddedOptions{Node: "b", Listen: later}), nil)
	eventually(t, "the peer is found when it comes", func() bool { return len(q.Health().Peers) == 1 })
	if err := q.Broadcast(&pubsub.Message{Topic: "t"}); err != nil {
		t.Error(err)
	}
	box.next(t)
}

// TestPortTaken checks the error for a port that is in use.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	wantSays(t, startError(t, embedded(t, EmbeddedOptions{Node: "a", Listen: ln.Addr().String()})), ln.Addr().String(), "taken")
}

// TestStranger starts a node without the secret: it has no peers, and the others do not get its messages.
func TestStranger(t *testing.T) {
	t.Parallel()
	var log, strangers waittest.Buffer
	first := embedded(t, EmbeddedOptions{
		Node: "a", Secret: []byte("the nodes of a cluster share this"), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	p := pubsubtest.Start(t, first, nil)
	if _, ok := first.Addr().(*net.TCPAddr); !ok {
		t.Fatalf("Addr is %v", first.Addr())
	}
	box := newInbox()
	await(t, p.Subscribe("t", box))
	q := embedded(t, EmbeddedOptions{Node: "b", Peers: []string{first.Addr().String()}, Secret: []byte("a stranger has another one, or none"),
		Logger: slog.New(slog.NewTextHandler(&strangers, nil))})
	stranger := pubsubtest.Start(t, q, nil)
	if err := stranger.Broadcast(&pubsub.Message{Topic: "t", Event: "stranger"}); err != nil {
		t.Error(err)
	}
	friend := pubsubtest.Start(t, embedded(t, EmbeddedOptions{Node: "c", Peers: []string{first.Addr().String()}, Secret: []byte("the nodes of a cluster share this")}), nil)
	if err := friend.Broadcast(&pubsub.Message{Topic: "t", Event: "friend"}); err != nil {
		t.Error(err)
	}
	if m := box.next(t); m.Event != "friend" {
		t.Errorf("heard %q", m.Event)
	}
	eventually(t, "the friend is known", func() bool { return len(p.Health().Peers) > 0 })
	if h := p.Health(); len(h.Peers) != 1 || h.Peers[0] != "c" {
		t.Errorf("peers %q", h.Peers)
	}
	for _, log := range []*waittest.Buffer{&log, &strangers} {
		told := func() int { return strings.Count(log.String(), "reason=peer_secret") }
		eventually(t, "a line says that the secrets differ", func() bool { return told() > 0 })
		if n := told(); n != 1 {
			t.Errorf("%d lines say that the secrets differ, want 1:\n%s", n, log)
		}
	}
}

// TestEmbeddedTLS connects the nodes over TLS.
func TestEmbeddedTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificates(t)
	config := func() *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	}
	first := embedded(t, EmbeddedOptions{Node: "a", TLS: config()})
	p := pubsubtest.Start(t, first, nil)
	box := newInbox()
	await(t, p.Subscribe("t", box))
	q := pubsubtest.Start(t, embedded(t, EmbeddedOptions{Node: "b", TLS: config(), Peers: []string{first.Addr().String()}}), nil)
	if err := q.Broadcast(&pubsub.Message{Topic: "t"}); err != nil {
		t.Error(err)
	}
	box.next(t)
}

// cutter is a proxy that can cut its connections, and refuse new ones.
type cutter struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn
	shut  bool
	all   sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: ln, to: to}
	c.all.Go(c.accept)
	t.Cleanup(func() {
		ln.Close()
		c.cut(true)
		c.all.Wait()
	})
	return c
}

func (c *cutter) accept() {
	for {
		in, err := c.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		c.mu.Lock()
		if err != nil || c.shut {
			in.Close()
			if err == nil {
				out.Close()
			}
			c.mu.Unlock()
			continue
		}
		c.conns = append(c.conns, in, out)
		c.mu.Unlock()
		pipe := func(a, b net.Conn) {
			_, _ = io.Copy(a, b)
			a.Close()
			b.Close()
		}
		c.all.Go(func() { pipe(in, out) })
		c.all.Go(func() { pipe(out, in) })
	}
}

// cut ends all connections. With shut it accepts no new ones until it is called again.
func (c *cutter) cut(shut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut = shut
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestRouteLost cuts the connection of two peers. Each goes on by itself. When they are connected again,
// both report a gap, and then get messages of each other.
func TestRouteLost(t *testing.T) {
	t.Parallel()
	listen := testport.Addr(t)
	proxy := newCutter(t, listen)
	first := embedded(t, EmbeddedOptions{Node: "a", Listen: listen, Advertise: proxy.Addr().String()})
	p := pubsubtest.Start(t, first, nil)
	second := embedded(t, EmbeddedOptions{Node: "b", Peers: []string{proxy.Addr().String()}, Advertise: "127.0.0.1:1"})
	q := pubsubtest.Start(t, second, nil)
	near, far := newInbox(), newInbox()
	await(t, p.Subscribe("t", near))
	await(t, q.Subscribe("t", far))
	send := func(from *pubsub.PubSub, event string) {
		t.Helper()
		if err := from.Broadcast(&pubsub.Message{Topic: "t", Event: event}); err != nil {
			t.Error(err)
		}
	}
	send(p, "1")
	near.next(t)
	far.next(t)
	eventually(t, "the route has settled", func() bool {
		first.link.routes.mu.Lock()
		defer first.link.routes.mu.Unlock()
		for _, r := range first.link.routes.seen {
			if r.last.Sub(r.first) > routeSettled {
				return true
			}
		}
		return false
	})
	eventually(t, "the route has settled on the other side", func() bool {
		second.link.routes.mu.Lock()
		defer second.link.routes.mu.Unlock()
		for _, r := range second.link.routes.seen {
			if r.last.Sub(r.first) > routeSettled {
				return true
			}
		}
		return false
	})

	gaps := [2]int64{p.Health().Gaps, q.Health().Gaps} // on a slow machine a node may wait for the other in vain
	proxy.cut(true)
	eventually(t, "the route is gone", func() bool { return first.link.nats.NumRoutes() == 0 && second.link.nats.NumRoutes() == 0 })
	send(p, "2")
	if m := near.next(t); m.Event != "2" {
		t.Errorf("this node got %q", m.Event)
	}
	if h := p.Health(); !h.Connected || h.Gaps != gaps[0] {
		t.Errorf("health %+v", h)
	}
	proxy.cut(false)
	eventually(t, "both hear of the gap", func() bool { return p.Health().Gaps > gaps[0] && q.Health().Gaps > gaps[1] })
	sent := 2
	eventually(t, "the other node gets messages", func() bool {
		sent++
		send(p, fmt.Sprint(sent))
		return len(far.messages) > 0
	})
	var number int
	if m := far.next(t); m != nil {
		fmt.Sscan(m.Event, &number)
	}
	if number < 3 || number > sent {
		t.Errorf("the other node got %d", number)
	}
	if h := q.Health(); h.Missed != int64(number-2) {
		t.Errorf("%d are counted as missed, want %d: all before %d but the first", h.Missed, number-2, number)
	}
	if len(far.gaps) == 0 {
		t.Error("the subscriber was not told")
	}
}
