package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
	"github.com/bennu-go/bennu/transport"
)

// banner disconnects each connection of a server at a random moment after its Connect began, on
// the same node or another.
type banner struct {
	handshake atomic.Int64 // how long the latest one took
	bans      sync.WaitGroup
	ban       func(id string) error
}

// connect is the Connect of the server.
func (b *banner) connect(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
	user, _ := info.Params.String("user")
	s.Assign("user", user)
	span := 2*time.Duration(b.handshake.Load()) + time.Microsecond
	b.bans.Go(func() {
		pass(rand.N(span))
		_ = b.ban("user:" + user)
	})
	pass(rand.N(span / 4))
	return nil
}

// pass lets a moment pass that is too short for a timer.
func pass(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
		runtime.Gosched()
	}
}

// TestDisconnectWhileConnecting disconnects ids at every moment of their being let in: no
// connection may survive that.
func TestDisconnectWhileConnecting(t *testing.T) {
	forms := map[string]func(*server, string) error{
		"Disconnect":   func(s *server, id string) error { return s.Disconnect(id) },
		"Broadcast":    func(s *server, id string) error { return s.Broadcast(id, reserved.EventDisconnect, nil) },
		"BroadcastPub": func(s *server, id string) error { return s.PubSub().Broadcast(disconnectMessage(id)) },
	}
	for _, road := range []string{"epoll", "parked", "longpoll"} {
		for _, node := range []string{"same", "other"} {
			for form, ban := range forms {
				t.Run(road+"/"+node+"/"+form, func(t *testing.T) {
					var broker pubsubtest.Memory
					b := &banner{}
					users := one("room:*", rooms())
					users.Connect = b.connect
					users.ID = func(s *bennu.Socket) string { return "user:" + s.Assigned("user").(string) }
					s := serve(t, users, &bennu.SocketOptions{Transports: both},
						&bennu.EndpointOptions{NoEpoll: road == "parked", PubSub: pubsubtest.Start(t, broker.Node(t, "a"), nil)})
					from := s
					if node == "other" {
						from = serve(t, one("room:*", rooms()), nil, &bennu.EndpointOptions{PubSub: pubsubtest.Start(t, broker.Node(t, "b"), nil)})
					}
					b.ban = func(id string) error { return ban(from, id) }
					defer b.bans.Wait()
					for i := range sized(10, 10_000/len(forms)+1) {
						b.letIn(t, s, road, fmt.Sprint("&user=", i))
					}
				})
			}
		}
	}
}

// letIn connects once, and returns when the server has closed or refused the connection.
func (b *banner) letIn(t *testing.T, s *server, road, query string) {
	began := time.Now()
	var c *wstest.Client
	if road == "longpoll" {
		c, _ = wstest.OpenLongPoll(t, s.polls()+query)
	} else {
		c, _ = wstest.Open(t, s.url+query)
	}
	b.handshake.Store(int64(time.Since(began)))
	if c == nil {
		return
	}
	defer c.Abort()
	if road == "longpoll" { // a poll that waits would not end before its window
		eventually(t, "the session is closed", func() bool { return s.Stats().Sockets == 0 })
		if n := s.Stats().Reasons["longpoll_inactive"]; n > 0 {
			t.Errorf("%d sessions ended by themselves", n)
		}
	} else if code, _ := c.DrainToClose(); code != int(transport.CloseGoingAway) {
		t.Errorf("closed with %d", code)
	}
}

func disconnectMessage(id string) *pubsub.Message {
	return &pubsub.Message{Topic: id, Event: reserved.EventDisconnect, Payload: []byte(`{}`)}
}

// TestDisconnectInConnect disconnects an id in the midst of Connect, in each way there is, and
// wants the connection refused, and the next one let in.
func TestDisconnectInConnect(t *testing.T) {
	var broker pubsubtest.Memory
	shared := pubsubtest.Start(t, broker.Node(t, "a"), nil)
	other := pubsubtest.Start(t, broker.Node(t, "b"), nil)
	var s *server
	for name, ban := range map[string]func(id string) error{
		"Disconnect":         func(id string) error { return s.Disconnect(id) },
		"LocalBroadcast":     func(id string) error { return s.LocalBroadcast(id, reserved.EventDisconnect, nil) },
		"PubSub.Broadcast":   func(id string) error { return shared.Broadcast(disconnectMessage(id)) },
		"DirectBroadcast":    func(id string) error { return other.DirectBroadcast("a", disconnectMessage(id)) },
		"from another node":  func(id string) error { return other.Broadcast(disconnectMessage(id)) },
		"another endpoint":   func(id string) error { return bare(shared).Disconnect(id) },
		"many other ids too": func(id string) error { return errors.Join(s.Disconnect(id), banMany(s)) },
	} {
		t.Run(name, func(t *testing.T) {
			var banned atomic.Bool
			heard := make(chan struct{}, 1)
			users := one("room:*", rooms())
			users.ID = func(*bennu.Socket) string { return "user:" + name }
			users.Limits.ConnectTimeout = wstest.Patience
			users.Connect = func(ctx context.Context, _ *bennu.Socket, _ *bennu.ConnectInfo) error {
				if banned.Swap(true) {
					return nil
				}
				if err := ban("user:" + name); err != nil {
					t.Error(err)
				}
				// What another node sends takes a moment.
				waittest.Next(t, "the disconnect is heard", heard)
				return nil
			}
			s = serve(t, users, nil, &bennu.EndpointOptions{PubSub: shared})
			defer s.Subscribe("user:"+name, func(context.Context, bennu.Broadcast) { heard <- struct{}{} }).Cancel()
			eventually(t, "interest is confirmed", func() bool { return shared.Health().Pending == 0 })
			if c, answer := wstest.Open(t, s.url); c != nil || answer.StatusCode != 403 {
				// The event and its like for connections are heard one after the other.
				if c == nil {
					t.Fatalf("status %d", answer.StatusCode)
				}
				c.ExpectClose(int(transport.CloseGoingAway))
			}
			eventually(t, "the refusal is counted", func() bool { return s.Stats().Reasons["disconnected"] == 1 || s.Stats().Sockets == 0 })
			c := wstest.Dial(t, s.url)
			c.Join("room:1")
			c.Fence()
		})
	}
}

// bare is an endpoint without mounts.
func bare(ps *pubsub.PubSub) *bennu.Endpoint {
	return bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps})
}

// banMany disconnects more ids than are remembered.
func banMany(s *server) error {
	for i := range 1 << 15 {
		if err := s.LocalBroadcast(fmt.Sprint("nobody:", i), reserved.EventDisconnect, nil); err != nil {
			return err
		}
	}
	return nil
}

// TestDisconnectSome closes the connections of one id and of no other, in any order of their
// coming and going.
func TestDisconnectSome(t *testing.T) {
	users := one("room:*", rooms())
	users.Connect = func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
		user, _ := info.Params.String("user")
		s.Assign("user", user)
		return nil
	}
	users.ID = func(s *bennu.Socket) string { return s.Assigned("user").(string) }
	s := serve(t, users, nil, nil)
	clients := map[string][]*wstest.Client{}
	for i := range 12 {
		user := fmt.Sprint(i % 3) // "0" has four
		clients[user] = append(clients[user], wstest.Dial(t, s.url+"&user="+user))
	}
	for _, i := range []int{3, 0, 1} { // the newest, the oldest, one in between
		clients["0"][i].Abort()
	}
	eventually(t, "three are gone", func() bool { return s.Stats().Sockets == 9 })
	clients["1"][0].Join("room:1")
	if err := s.Broadcast("1", "other", nil); err != nil { // closes nothing
		t.Fatal(err)
	}
	clients["1"][0].Fence()
	for _, user := range []string{"0", "1"} {
		if err := s.Disconnect(user); err != nil {
			t.Fatal(err)
		}
	}
	clients["0"][2].ExpectClose(1001)
	for _, c := range clients["1"] {
		c.ExpectClose(1001)
	}
	for _, c := range clients["2"] {
		c.Join("room:1")
	}
	for _, topic := range []string{"", "phx:disconnect", "phx:lp:x"} {
		if err := s.Disconnect(topic); !errors.Is(err, bennu.ErrInvalid) {
			t.Errorf("Disconnect(%q): %v", topic, err)
		}
		if err := s.Broadcast(topic, "x", nil); !errors.Is(err, bennu.ErrInvalid) {
			t.Errorf("Broadcast(%q): %v", topic, err)
		}
	}
}

// TestReservedTopics joins topics of the library under a pattern that takes everything.
func TestReservedTopics(t *testing.T) {
	s := serve(t, one("*", rooms()), nil, nil)
	c := wstest.Dial(t, s.url)
	for _, topic := range []string{"phx:", "phx:lp:AAAA", "phx:disconnect"} {
		ref := c.Push(topic, "phx_join", "{}")
		c.Expect(wstest.Refused("null", ref, topic, "unmatched topic"))
	}
	c.Join("phx")
	c.Join("room:phx:lp:")
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "belong to the library") {
			t.Errorf("a pattern of reserved topics: %s", text)
		}
	}()
	one("phx:lp:*", rooms())
}

// lossy is an adapter that loses what comes while it is away.
type lossy struct {
	pubsub.Adapter
	receiver pubsub.Receiver
	away     atomic.Bool
	lost     atomic.Int64
}

func (l *lossy) Start(ctx context.Context, r pubsub.Receiver) error {
	l.receiver = r
	return l.Adapter.Start(ctx, l)
}

func (l *lossy) Receive(m *pubsub.Message) {
	if l.away.Load() {
		l.lost.Add(1)
		return
	}
	l.receiver.Receive(m)
}

func (l *lossy) Gap(g pubsub.Gap) { l.receiver.Gap(g) }

// busy is an adapter without room for the first two of what nodes tell each other after a gap.
type busy struct {
	pubsub.Adapter
	tries atomic.Int64
}

func (b *busy) Broadcast(m *pubsub.Message) error {
	if m.Event == "missed" && b.tries.Add(1) <= 2 {
		return pubsub.ErrBufferFull
	}
	return b.Adapter.Broadcast(m)
}

func (b *busy) Direct(node string, m *pubsub.Message) error {
	if m.Event == "remembered" && b.tries.Add(1) <= 2 {
		return pubsub.ErrBufferFull
	}
	return b.Adapter.Direct(node, m)
}

// TestDisconnectLost loses a disconnect on its way to another node, which asks for it after the
// gap, when there is room for that. A connection of another id stays.
func TestDisconnectLost(t *testing.T) {
	var broker pubsubtest.Memory
	l := &lossy{Adapter: &busy{Adapter: broker.Node(t, "b")}}
	users := one("*", rooms())
	users.Connect = func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
		user, _ := info.Params.String("user")
		s.Assign("user", user)
		return nil
	}
	users.ID = func(s *bennu.Socket) string { return s.Assigned("user").(string) }
	s := serve(t, users, nil, &bennu.EndpointOptions{PubSub: pubsubtest.Start(t, l, nil)})
	other := bare(pubsubtest.Start(t, &busy{Adapter: broker.Node(t, "a")}, nil))
	defer func() { _ = other.Shutdown(t.Context()) }()
	lost, bystander := wstest.Dial(t, s.url+"&user=7"), wstest.Dial(t, s.url+"&user=8")
	lost.Join("a")
	eventually(t, "the nodes know each other's interest", func() bool { return s.PubSub().Health().Pending == 0 })
	l.away.Store(true)
	if err := other.Disconnect("7"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the disconnect is lost", func() bool { return l.lost.Load() > 0 })
	eventually(t, "the other node can be asked", func() bool { return other.PubSub().Health().Pending == 0 })
	l.away.Store(false)
	l.Gap(pubsub.Gap{Cause: errors.New("away")})
	if code, _ := lost.DrainToClose(); code != int(transport.CloseGoingAway) {
		t.Errorf("closed with %d", code)
	}
	bystander.Fence()
	if n := s.Stats().Reasons["thrown_out"]; n != 1 {
		t.Errorf("%d connections were closed", n)
	}
	if lines := s.log.about("a connection was closed: its id was disconnected"); len(lines) != 1 || !strings.Contains(lines[0], " id=7") {
		t.Errorf("logged %q", lines)
	}
}
