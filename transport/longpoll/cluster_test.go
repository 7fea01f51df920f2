package longpoll

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// ether joins the nodes of a test in memory. Each node receives in a goroutine of
// its own, in order, as from a broker.
type ether struct {
	mu    sync.Mutex
	nodes map[string]*leg
	// lose says which messages are lost, and hears all of them.
	lose func(to string, m *pubsub.Message) bool
	most atomic.Int64 // the largest payload
}

type leg struct {
	ether *ether
	name  string
	inbox chan *pubsub.Message
	done  chan struct{}
}

func newEther() *ether { return &ether{nodes: map[string]*leg{}} }

// node makes a PubSub on the ether.
func (e *ether) node(t testing.TB, name string) *pubsub.PubSub {
	t.Helper()
	p, err := pubsub.New(context.Background(), &pubsub.Options{Adapter: &leg{ether: e, name: name, inbox: make(chan *pubsub.Message, 10_000), done: make(chan struct{})}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

func (l *leg) Node() string { return l.name }

func (l *leg) Start(_ context.Context, r pubsub.Receiver) error {
	l.ether.mu.Lock()
	l.ether.nodes[l.name] = l
	l.ether.mu.Unlock()
	go func() {
		defer close(l.done)
		for m := range l.inbox {
			r.Receive(m)
		}
	}()
	return nil
}

func (l *leg) Stop(context.Context) error {
	l.ether.mu.Lock()
	delete(l.ether.nodes, l.name)
	close(l.inbox)
	l.ether.mu.Unlock()
	<-l.done
	return nil
}

func (l *leg) Broadcast(*pubsub.Message) error { return nil }

func (l *leg) Direct(node string, m *pubsub.Message) error {
	e := l.ether
	e.mu.Lock()
	defer e.mu.Unlock()
	e.most.Store(max(e.most.Load(), int64(len(m.Payload))))
	if e.lose != nil && e.lose(node, m) {
		return nil
	}
	to := e.nodes[node]
	if to == nil {
		return fmt.Errorf("no node %q", node)
	}
	c := *m
	c.Payload = append([]byte(nil), m.Payload...)
	to.inbox <- &c
	return nil
}

func (l *leg) Interest(string) <-chan struct{} { return nil }
func (l *leg) Forget(string)                   {}
func (l *leg) Health() pubsub.Health           { return pubsub.Health{Connected: true} }

// losing sets what is lost from now on.
func (e *ether) losing(lose func(to string, m *pubsub.Message) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lose = lose
}

var clusterSecret = []byte("the nodes of a cluster share this")

// cluster is two servers that serve each other's sessions.
type cluster struct {
	a, b  *site
	x     *exchange // of the first
	ether *ether    // nil on one PubSub
}

// inClusters runs a test with two nodes, and with two servers on one node, over TCP.
func inClusters(t *testing.T, opts *Options, receive func(*phone, wire.Opcode, []byte) <-chan struct{}, test func(t *testing.T, c *cluster)) {
	for _, nodes := range []int{2, 1} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) { playCluster(t, nodes, serve, opts, receive, test) })
	}
}

// inClusterBubbles is inClusters in bubbles of testing/synctest, for tests in which time runs out.
func inClusterBubbles(t *testing.T, opts *Options, receive func(*phone, wire.Opcode, []byte) <-chan struct{}, test func(t *testing.T, c *cluster)) {
	for _, nodes := range []int{2, 1} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playCluster(t, nodes, direct, opts, receive, test) })
		})
	}
}

func playCluster(t *testing.T, nodes int, serve func(testing.TB, *server, seam.Acceptor, *Options) *site,
	opts *Options, receive func(*phone, wire.Opcode, []byte) <-chan struct{}, test func(t *testing.T, c *cluster)) {
	if receive == nil {
		receive = echo
	}
	c := &cluster{x: answering(receive), ether: newEther()}
	p := c.ether.node(t, "a@example")
	q := p
	if nodes == 2 {
		q = c.ether.node(t, "b@example")
	}
	c.a = serve(t, testServer(t, &serverConfig{PubSub: p, Secret: clusterSecret}), c.x, opts)
	c.b = serve(t, testServer(t, &serverConfig{PubSub: q, Secret: clusterSecret}), nil, opts)
	test(t, c)
	for _, ps := range []*pubsub.PubSub{p, q} {
		c.a.srv.Close(transport.CloseRestart)
		c.b.srv.Close(transport.CloseRestart)
		eventually(t, "no topic is left", func() bool { return ps.Topics() == 0 })
	}
}

func TestServedByAnotherNode(t *testing.T) {
	inClusterBubbles(t, nil, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		if r := c.b.poll(token).want(t, 204); r.Token != token {
			t.Fatal("204 with another token")
		}
		c.b.post(token, "1").want(t, 200)
		c.b.ndjson(token, "[2]\n\naGVsbG8=").want(t, 200)
		c.a.post(token, "4").want(t, 200)
		r := c.b.poll(token).want(t, 200, "1", "[2]", "hello", "4")
		waiting := c.b.background(ask{token: r.Token})
		c.a.polling(token)
		c.b.post(r.Token, "5").want(t, 200)
		r = (<-waiting).want(t, 200, "5")
		c.a.post(r.Token, "6").want(t, 200)
		c.a.poll(r.Token).want(t, 200, "6")
		if c.b.srv.Stats().Opened != 0 || c.a.srv.Stats().Opened != 1 {
			t.Error("a session was made")
		}
		if n := c.a.srv.extra("garbage") + c.b.srv.extra("garbage"); n != 0 {
			t.Errorf("%d garbage", n)
		}
	})
}

// TestRelayedRepeat acknowledges across nodes.
func TestRelayedRepeat(t *testing.T) {
	inClusterBubbles(t, nil, nil, func(t *testing.T, c *cluster) {
		first := c.a.open(ackHeader, "1")
		c.b.post(first, "a").want(t, 200)
		second := c.b.poll(first).want(t, 200, "a").Token
		if again := c.b.poll(first).want(t, 200, "a").Token; again != second {
			t.Error("another token")
		}
		if again := c.a.poll(first).want(t, 200, "a").Token; again != second {
			t.Error("another token")
		}
		c.b.poll(second).want(t, 204)
		if r := c.b.poll(first).want(t, 410); r.Token == "" {
			t.Error("no new token")
		}
		if err := c.x.phones[0].reason(t); err != errGap {
			t.Errorf("reason %v", err)
		}
	})
}

// TestRelayedWaiters has one waiter, wherever polls come in.
func TestRelayedWaiters(t *testing.T) {
	inClusterBubbles(t, nil, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		sites := []*site{c.a, c.b, c.a, c.b}
		var polls []<-chan *reply
		var w waiter
		for _, st := range sites {
			polls = append(polls, st.background(ask{token: token}))
			eventually(t, "the poll waits", func() bool { n := c.a.polling(token); ok := n != w; w = n; return ok })
		}
		c.a.post(token, "a").want(t, 200)
		(<-polls[3]).want(t, 200, "a")
		for _, p := range polls[:3] {
			(<-p).want(t, 204)
		}
	})
}

// TestManyRelayedPolls has more polls wait at another node than a session may have.
func TestManyRelayedPolls(t *testing.T) {
	inClusterBubbles(t, nil, nil, func(t *testing.T, c *cluster) {
		token, began := c.a.open(), time.Now()
		var polls []<-chan *reply
		for i := range maxPolls + 1 {
			polls = append(polls, c.b.background(ask{token: token}))
			eventually(t, "the poll waits", func() bool { return c.a.srv.extra("polls") == uint64(i+1) })
		}
		if r := (<-polls[0]).want(t, 204); r.Token != token || time.Since(began) > defaultWindow/2 {
			t.Errorf("%v after %v", r, time.Since(began))
		}
		c.a.post(token, "a").want(t, 200)
		(<-polls[maxPolls]).want(t, 200, "a")
	})
}

// TestRelayedAbort says that the owner keeps what a client that went away would
// have got.
func TestRelayedAbort(t *testing.T) {
	inClusters(t, nil, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		for i := range 20 {
			ctx, cancel := context.WithCancel(context.Background())
			waiting := c.b.background(ask{token: token, ctx: ctx})
			c.a.polling(token)
			cancel()
			<-waiting
			s := c.a.session(token)
			eventually(t, "the poll is gone", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.waiter == nil
			})
			m := fmt.Sprint(i)
			c.b.post(token, m).want(t, 200)
			c.a.poll(token).want(t, 200, m)
		}
	})
}

// TestHandedOverToNobody gives a batch back that the other node had no use for.
func TestHandedOverToNobody(t *testing.T) {
	inClusters(t, nil, nil, func(t *testing.T, c *cluster) {
		token := c.a.open() // a client that cannot ask again
		s := c.a.session(token)
		gone := &message{kind: kindGone, request: newID()}
		p := &remotePoll{peer: peer{c.a.srv, "nowhere", newID(), gone.request}, ses: s, until: forever}
		if _, _, ok := s.poll(0, p); !ok {
			t.Fatal("no poll")
		}
		c.x.last().conn.Send(seal(wire.Text, "a"))
		c.x.last().conn.Send(seal(wire.Text, "b"))
		eventually(t, "it is handed over or given back", func() bool { return c.a.srv.extra("batches") == 1 })
		s.remoteGone(gone)
		c.x.last().conn.Send(seal(wire.Text, "c"))
		r := c.b.poll(token)
		if len(r.Messages) == 2 { // the third came later
			r.Messages = append(r.Messages, c.b.poll(token).Messages...)
		}
		r.want(t, 200, "a", "b", "c")
	})
}

// TestRelayedParts has bodies and batches larger than one message between nodes.
func TestRelayedParts(t *testing.T) {
	inClusters(t, &Options{MaxBufferBytes: 4 << 20}, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		for _, size := range []int{0, 1, partBytes - 1, partBytes, partBytes + 1, 3 * partBytes, 1_000_000} {
			body := strings.Repeat("x", size)
			c.b.post(token, body).want(t, 200)
			c.b.poll(token).want(t, 200, body)
		}
		c.b.post(token, strings.Repeat("x", defaultMaxBody+1)).wantHTTP(t, 400)
		if n := c.ether.most.Load(); n > maxMessageBytes {
			t.Errorf("a message of %d bytes", n)
		}
	})
}

func TestRelayedStatus(t *testing.T) {
	inClusterBubbles(t, nil, func(p *phone, op wire.Opcode, data []byte) <-chan struct{} {
		if string(data) == "block" {
			return make(chan struct{})
		}
		return room(p, op, data)
	}, func(t *testing.T, c *cluster) {
		c.a.open() // a node without sessions does not even say no
		token := c.a.open()
		c.b.ndjson(token, "no base64").wantHTTP(t, 400)
		c.b.post(token, heartbeat).want(t, 200)
		c.b.poll(token).want(t, 200, heartbeatReply)
		c.b.post(token, "{oops").want(t, 408)
		c.b.post(token, heartbeat).want(t, 410)
		if r := c.b.poll(token).want(t, 410); r.Token == token || r.Token == "" {
			t.Error("no new token")
		}
		token = c.a.open()
		c.b.post(token, "block").want(t, 408)
		token = c.a.open()
		waiting := c.b.background(ask{token: token})
		c.a.polling(token)
		c.x.last().conn.Close(transport.CloseGoingAway)
		(<-waiting).want(t, 204)
	})
}

// TestLongRelayedPost has posts whose handling takes longer than one window.
func TestLongRelayedPost(t *testing.T) {
	var lines []string
	inClusterBubbles(t, nil, func(*phone, wire.Opcode, []byte) <-chan struct{} {
		c := make(chan struct{})
		time.AfterFunc(defaultWindow-time.Second, func() { close(c) })
		return c
	}, func(t *testing.T, c *cluster) {
		token := c.a.open()
		lines = nil
		for range 8 {
			lines = append(lines, "[1]")
		}
		stop := make(chan struct{})
		polls := make(chan struct{})
		go func() { // the session must live so long
			defer close(polls)
			for {
				select {
				case <-stop:
					return
				default:
					c.a.try(ask{token: token})
				}
			}
		}()
		c.b.ndjson(token, strings.Join(lines, "\n")).want(t, 200)
		close(stop)
		<-polls
	})
}

// TestOwnerIsGone has tokens of nodes that do not answer.
func TestOwnerIsGone(t *testing.T) {
	inClusterBubbles(t, &Options{PubSubTimeout: time.Second / 5}, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		old, _ := c.a.srv.keys.open(token)
		old.boot = newID() // the node was started again since
		gone := c.a.srv.keys.seal(&old)
		old.node = "elsewhere@example"
		for _, token := range []string{gone, c.a.srv.keys.seal(&old)} {
			for _, st := range []*site{c.a, c.b} {
				st.post(token, "a").want(t, 410)
				if r := st.poll(token).want(t, 410); r.Token == "" {
					t.Error("no new token")
				}
			}
		}
		// The owner is there and has no such session.
		other, _ := c.a.srv.keys.open(token)
		other.session = newID()
		c.b.post(c.a.srv.keys.seal(&other), "a").want(t, 410)
		c.b.poll(c.a.srv.keys.seal(&other)).want(t, 410)
		// It is of another mount.
		mustHandler(t, c.b.srv, &exchange{}, nil)
		second := &site{t: t, srv: c.b.srv, h: mustHandler(t, c.b.srv, &exchange{}, nil)}
		if second.h.index == c.a.h.index {
			t.Fatal("mounts have the same index")
		}
		if status := second.h.relayPost(httptest.NewRequestWithContext(t.Context(), "POST", "/", nil), mustOpen(t, c.a.srv, token), false, []byte("a")); status != 410 {
			t.Errorf("another mount: %d", status)
		}
	})
}

func mustOpen(t *testing.T, s *server, text string) *token {
	t.Helper()
	tok, ok := s.keys.open(text)
	if !ok {
		t.Fatal("bad token")
	}
	return &tok
}

// TestOwnerCloses answers polls on other nodes too.
func TestOwnerCloses(t *testing.T) {
	inClusters(t, &Options{Window: waittest.Patience}, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		waiting := c.b.background(ask{token: token})
		c.a.polling(token)
		c.a.srv.Close(transport.CloseRestart)
		(<-waiting).wantHTTP(t, 503)
	})
	inClusters(t, &Options{Window: waittest.Patience}, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		waiting := c.b.background(ask{token: token})
		c.a.polling(token)
		c.b.srv.Close(transport.CloseRestart)
		(<-waiting).wantHTTP(t, 503)
		c.a.unpolled(token)
		c.a.post(token, "a").want(t, 200)
		c.a.poll(token).want(t, 200, "a")
	})
}

// TestSilentBroker loses every message: a request ends after the timeout.
func TestSilentBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEther()
		p, q := e.node(t, "a"), e.node(t, "b")
		a := &bubble{T: t, srv: newServer(&serverConfig{PubSub: p, Secret: clusterSecret})}
		b := &bubble{T: t, srv: newServer(&serverConfig{PubSub: q, Secret: clusterSecret})}
		a.h, b.h = mustHandler(t, a.srv, &exchange{}, nil), mustHandler(t, b.srv, &exchange{}, nil)
		token := a.open()

		e.losing(func(string, *pubsub.Message) bool { return true })
		r, d := b.timed(ask{method: "POST", token: token, body: "a"})
		if r.want(t, 410); d != defaultPubSubTimeout {
			t.Errorf("post after %v", d)
		}
		r, d = b.timed(ask{token: token})
		if r.want(t, 410); d != defaultPubSubTimeout {
			t.Errorf("poll after %v", d)
		}
		// Only what the owner has to say after its first sign is lost.
		e.losing(func(_ string, m *pubsub.Message) bool {
			k := kind(m.Payload[1])
			return k == kindBatch || k == kindDone
		})
		r, d = b.timed(ask{method: "POST", token: token, body: "a"})
		if r.want(t, 408); d != 2*defaultWindow+defaultPubSubTimeout {
			t.Errorf("post after %v", d)
		}
		token = a.open()
		a.do(ask{method: "POST", token: token, body: "a"}).want(t, 200)
		r, d = b.timed(ask{token: token})
		if r.want(t, 204); d != 10*time.Second && d != defaultWindow {
			t.Errorf("poll after %v", d)
		}
		e.losing(nil)
		// Nothing was written, so it was given back.
		b.do(ask{token: token}).want(t, 200, "a")
		shut(t, a.srv)
		shut(t, b.srv)
	})
}

// TestLossyBroker loses one in ten messages between nodes, and sends its client to
// either. Nothing is lost, doubled or out of order but where a session visibly ends.
func TestLossyBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEther()
		p, q := e.node(t, "a"), e.node(t, "b")
		x := &exchange{}
		a := &bubble{T: t, srv: newServer(&serverConfig{PubSub: p, Secret: clusterSecret})}
		b := &bubble{T: t, srv: newServer(&serverConfig{PubSub: q, Secret: clusterSecret})}
		opts := &Options{Window: time.Second, PubSubTimeout: 100 * time.Millisecond, MaxSessionsPerAddress: option.Unlimited}
		a.h, b.h = mustHandler(t, a.srv, x, opts), mustHandler(t, b.srv, &exchange{}, opts)
		r := rand.New(rand.NewPCG(3, 4))
		dice := rand.New(rand.NewPCG(4, 5)) // guarded by the ether
		e.losing(func(string, *pubsub.Message) bool { return dice.IntN(10) == 0 })
		token := a.do(ask{header: []string{ackHeader, "1"}}).want(t, 410).Token
		const n = 2000
		sent, got := 0, 0
		for got < n {
			for range min(n-sent, r.IntN(5)) {
				x.last().conn.Send(seal(wire.Text, fmt.Sprint(sent)))
				sent++
			}
			at := a
			if r.IntN(2) == 0 {
				at = b
			}
			rep := at.do(ask{token: token})
			if rep.Status == 410 { // the owner did not answer in time; its session lives
				if len(x.phones[0].closed) > 0 {
					t.Fatalf("the session ended after %d messages: %v", got, <-x.phones[0].closed)
				}
				continue
			}
			if rep.Status != 200 && rep.Status != 204 {
				t.Fatal(rep)
			}
			if rep.Token == token && len(rep.Messages) > 0 {
				t.Fatal("a batch without a new number")
			}
			for _, m := range rep.Messages {
				if m != fmt.Sprint(got) {
					t.Fatalf("got message %s, want %d", m, got)
				}
				got++
			}
			token = rep.Token
		}
		shut(t, a.srv)
		shut(t, b.srv)
	})
}

// TestGarbageBetweenNodes sends nonsense to the topic of a server.
func TestGarbageBetweenNodes(t *testing.T) {
	inClusterBubbles(t, nil, nil, func(t *testing.T, c *cluster) {
		token := c.a.open()
		srv := c.a.srv
		ses := c.a.session(token)
		r := rand.New(rand.NewPCG(5, 6))
		send := func(event string, payload []byte) {
			(*listener)(srv).Deliver(&pubsub.Dispatch{Message: &pubsub.Message{Event: event, Payload: payload}})
		}
		send("other", (&message{kind: kindPoll}).encode())
		for range 2000 {
			m := &message{
				kind: kind(r.IntN(12)), request: newID(), node: "nowhere", part: uint32(r.IntN(3)), number: uint64(r.IntN(3)),
				last: r.IntN(2) == 0, ndjson: r.IntN(2) == 0, status: r.IntN(500), body: []byte("[1]")[:r.IntN(4)],
			}
			if m.session = ses.id; m.kind == kindPost || m.kind == kindPart {
				m.session = newID()
			}
			b := m.encode()
			switch r.IntN(3) {
			case 0:
				b = b[:r.IntN(len(b)+1)]
			case 1:
				b[r.IntN(len(b))] ^= byte(r.IntN(256))
			}
			send(routeEvent, b)
		}
		send(routeEvent, make([]byte, maxMessageBytes+1))
		if srv.extra("garbage") == 0 {
			t.Error("nothing counted")
		}
		c.a.poll(token) // it may have been ended; the server has not
		fresh := c.a.open()
		c.b.post(fresh, "ok").want(t, 200)
		c.b.poll(fresh).want(t, 200, "ok")
	})
}

// TestAssemblies bounds what other nodes leave unfinished.
func TestAssemblies(t *testing.T) {
	inBubble(t, &exchange{}, &Options{MaxBody: 2 * partBytes, Window: time.Hour}, func(b *bubble) {
		b.srv.pubsub = pubsub.NewLocal()
		token := b.open()
		tok, _ := b.srv.keys.open(token)
		s := b.srv.session(tok.session)
		body := make([]byte, partBytes)
		begin := func() *message {
			m := &message{kind: kindPost, request: newID(), session: s.id, size: partBytes + 1, body: body}
			b.srv.asked(m)
			return m
		}
		first := begin()
		for range 10 {
			begin()
		}
		if n := len(s.parts); n != maxAssemblies {
			b.Fatalf("%d", n)
		}
		// Out of order, too many bytes, and of nothing that was begun.
		for _, m := range []*message{
			{kind: kindPart, request: first.request, session: s.id, part: 2},
			{kind: kindPart, request: newID(), session: s.id, part: 1},
			{kind: kindPart, request: first.request, session: newID(), part: 1},
		} {
			b.srv.asked(m)
		}
		if n := len(s.parts); n != maxAssemblies-1 {
			b.Fatalf("%d", n)
		}
		second := begin()
		for i := range 2 {
			b.srv.asked(&message{kind: kindPart, request: second.request, session: s.id, part: uint32(1 + i), body: body})
		}
		if n := len(s.parts); n != maxAssemblies-1 {
			b.Fatalf("a body beyond MaxBody is kept")
		}
		time.Sleep(time.Hour)
		begin()
		if n := len(s.parts); n != 1 {
			b.Fatalf("%d after a window", n)
		}
		b.srv.pubsub.Broadcast(&pubsub.Message{})
		b.srv.Close(transport.CloseRestart)
		synctest.Wait()
		b.srv.route.users = 0 // pubsub came after the session
	})
}

// TestLongNodeName cannot be in a token.
func TestLongNodeName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEther()
		for _, n := range []int{maxNode + 1, maxNode} {
			srv := testServer(t, &serverConfig{PubSub: e.node(t, strings.Repeat("n", n))})
			st := direct(t, srv, nil, nil)
			st.poll(st.open()).want(t, 204)
		}
	})
}

// crowded joins nodes by a broker for which what is published waits a moment, in a buffer of a
// size, as with a real one.
type crowded struct {
	*leg
	most int

	mu    sync.Mutex
	queue []func()
	bytes int
	full  int // how often it was
}

func (c *crowded) Direct(node string, m *pubsub.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes+len(m.Payload) > c.most {
		c.full++
		return pubsub.ErrBufferFull
	}
	c.bytes += len(m.Payload)
	c.queue = append(c.queue, func() { _ = c.leg.Direct(node, m); c.bytes -= len(m.Payload) })
	if len(c.queue) == 1 {
		go c.send()
	}
	return nil
}

func (c *crowded) send() {
	for more := true; more; {
		time.Sleep(time.Millisecond)
		c.mu.Lock()
		c.queue[0]()
		c.queue = c.queue[1:]
		more = len(c.queue) > 0
		c.mu.Unlock()
	}
}

// TestCrowdedRelay passes posts and answers on through an adapter with little room. All
// arrive, and no more is on its way than may be.
func TestCrowdedRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEther()
		node := func(name string) (*pubsub.PubSub, *crowded) {
			c := &crowded{leg: &leg{ether: e, name: name, inbox: make(chan *pubsub.Message, 10_000), done: make(chan struct{})}, most: 300 << 10}
			p, err := pubsub.New(t.Context(), &pubsub.Options{Adapter: c})
			if err != nil {
				t.Fatal(err)
			}
			return p, c
		}
		p, atA := node("a")
		q, atB := node("b")
		a := &bubble{T: t, srv: newServer(&serverConfig{PubSub: p, Secret: clusterSecret, Logger: slog.New(slog.DiscardHandler)})}
		b := &bubble{T: t, srv: newServer(&serverConfig{PubSub: q, Secret: clusterSecret, Logger: slog.New(slog.DiscardHandler)})}
		a.h, b.h = mustHandler(t, a.srv, &exchange{}, nil), mustHandler(t, b.srv, &exchange{}, nil)
		var tokens []string
		for range 8 {
			tokens = append(tokens, a.open())
		}
		body := strings.Repeat("x", 1_000_000)
		var posts, polls []<-chan *reply
		for _, token := range tokens {
			posts = append(posts, b.background(ask{method: "POST", token: token, body: body}))
		}
		for _, c := range posts {
			(<-c).want(t, 200)
		}
		for _, token := range tokens {
			polls = append(polls, b.background(ask{token: token}))
		}
		for _, c := range polls {
			(<-c).want(t, 200, body)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if atA.full == 0 || atB.full == 0 {
			t.Errorf("the buffers were never full: %d, %d", atA.full, atB.full)
		}
		for _, s := range []*server{a.srv, b.srv} {
			for _, b := range []*budget{&s.rests, &s.flights, &s.answers} {
				if b.bytes != 0 || len(s.route.taken) != 0 {
					t.Errorf("%d bytes are held, %d answers awaited", b.bytes, len(s.route.taken))
				}
			}
		}
		shut(t, a.srv)
		shut(t, b.srv)
		for _, p := range []*pubsub.PubSub{p, q} {
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestRelayedWithdrawal drops at the owner the posts of clients that went away from another
// node, those that wait and the one that is handled.
func TestRelayedWithdrawal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEther()
		p, q := e.node(t, "a"), e.node(t, "b")
		a := &bubble{T: t, srv: newServer(&serverConfig{PubSub: p, Secret: clusterSecret, Logger: slog.New(slog.DiscardHandler)})}
		b := &bubble{T: t, srv: newServer(&serverConfig{PubSub: q, Secret: clusterSecret, Logger: slog.New(slog.DiscardHandler)})}
		a.h, b.h = mustHandler(t, a.srv, stuck(), nil), mustHandler(t, b.srv, &exchange{}, nil)
		token := a.open()
		ctx, cancel := context.WithCancel(t.Context())
		body := strings.Repeat("[1]\n", 120_000)
		for range 3 {
			b.background(ask{method: "POST", token: token, body: body, ctx: ctx, header: []string{"Content-Type", "application/x-ndjson"}})
		}
		if a.held() < len(body) || b.held() < len(body) {
			t.Fatalf("%d and %d bytes are held", a.held(), b.held())
		}
		cancel()
		synctest.Wait()
		if a.held() != 0 || b.held() != 0 {
			t.Errorf("%d and %d bytes are held", a.held(), b.held())
		}
		shut(t, a.srv)
		shut(t, b.srv)
	})
}
