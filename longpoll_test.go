package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// polls is the URL of long polling where url is that of WebSocket.
func (s *server) polls() string {
	url := strings.Replace(s.url, "/socket/websocket", "/socket/longpoll", 1)
	return "http" + strings.TrimPrefix(url, "ws")
}

// A road is a server reached over one of the transports.
type road struct {
	*server
	transport string
}

func (r *road) dial(t *testing.T, query string) *wstest.Client {
	t.Helper()
	if r.transport == "longpoll" {
		return wstest.DialLongPoll(t, r.polls()+query)
	}
	return wstest.Dial(t, r.url+query)
}

// ends wants the end of a connection as the next thing. Long polling has no codes.
func (r *road) ends(t *testing.T, c *wstest.Client, code int) {
	t.Helper()
	if r.transport == "websocket" {
		c.ExpectClose(code)
		return
	}
	if _, before := c.DrainToClose(); len(before) > 0 {
		t.Fatalf("before the end: %v", before)
	}
}

// TestBothTransports is one body for both: what a channel does is the same, whatever
// carries it.
func TestBothTransports(t *testing.T) {
	for _, transport := range []string{"websocket", "longpoll"} {
		for name, play := range map[string]func(*testing.T, *road, *gates){
			"join": playJoin, "order": playOrder, "broadcast": playBroadcast, "crash": playCrash, "leave": playLeave,
			"duplicate join": playDuplicateJoin, "rejoin": playRejoin, "disconnect": playDisconnect,
			"shutdown": playShutdown, "slow consumer": playSlowConsumer,
		} {
			t.Run(transport+"/"+name, func(t *testing.T) {
				g := newGates()
				users := one("a*", roadRooms(g))
				users.Connect = func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
					if s.Transport() != transport {
						t.Errorf("the transport is %q", s.Transport())
					}
					user, _ := info.Params.String("user")
					s.Assign("user", user)
					return nil
				}
				users.ID = func(s *bennu.Socket) string { return "users:" + s.Assigned("user").(string) }
				s := serve(t, users, &bennu.SocketOptions{
					Transports: over(&websocket.Options{MaxQueueBytes: 256 << 10}, &longpoll.Options{MaxBufferBytes: 256 << 10}),
				}, nil)
				t.Cleanup(func() { close(g.open) })
				play(t, &road{s, transport}, g)
			})
		}
	}
}

// roadRooms is a gated room with some more to do.
func roadRooms(g *gates) *bennu.Definition[*gatedRoom] {
	d := g.channel()
	bennu.On(d, "order", func(r *gatedRoom, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, errors.Join(r.Push("1", nil), r.Broadcast("2", nil), r.BroadcastFrom("never", nil), r.Push("3", nil))
	})
	bennu.On(d, "bang", func(*gatedRoom, context.Context, bennu.Empty) (bennu.Empty, error) { panic("as asked") })
	bennu.On(d, "refuse", func(*gatedRoom, context.Context, bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, bennu.Errorf("no")
	})
	return d
}

func playJoin(t *testing.T, r *road, _ *gates) {
	c := r.dial(t, "")
	ref := c.Push("a", "phx_join", "{}")
	c.Expect(wstest.OK(ref, ref, "a"))
	ref = c.Push("b", "phx_join", "{}")
	c.Expect(wstest.Refused("null", ref, "b", "unmatched topic"))
	c.Want("a", "echo", `{"text":"\u0000 \"é\" 😀 \\"}`, "ok", `{"text":"\u0000 \"é\" 😀 \\"}`)
	c.Want("a", "refuse", `{}`, "error", `{"reason":"no"}`)
	c.Want("b", "echo", `{}`, "error", `{"reason":"unmatched topic"}`)
	c.Want("phoenix", "heartbeat", `{}`, "ok", `{}`)
	c.Fence()
}

func playOrder(t *testing.T, r *road, _ *gates) {
	c := r.dial(t, "")
	joinRef := c.Join("a")
	for range 3 {
		ref := c.Push("a", "order", "{}")
		c.Expect(wstest.V2(joinRef, "null", "a", "1", "{}"), wstest.Broadcast("a", "2", "{}"),
			wstest.V2(joinRef, "null", "a", "3", "{}"), wstest.OK(joinRef, ref, "a"))
	}
	// More than one batch either way.
	var frames []wstest.Frame
	var want []string
	for i := range 250 {
		payload := fmt.Sprintf(`{"n":%d}`, i)
		f, ref := c.Frame("a", "echo", payload)
		frames, want = append(frames, f), append(want, wstest.Reply(joinRef, ref, "a", "ok", payload))
	}
	c.Send(frames...)
	c.Expect(want...)
	c.Fence()
}

func playBroadcast(t *testing.T, r *road, _ *gates) {
	one, two, other := r.dial(t, ""), r.dial(t, ""), r.dial(t, "")
	one.Join("a")
	two.Join("a")
	other.Join("a:other")
	for i := range 20 {
		if err := r.Broadcast("a", "news", map[string]int{"n": i}); err != nil {
			t.Error(err)
		}
	}
	for i := range 20 {
		want := wstest.Broadcast("a", "news", fmt.Sprintf(`{"n":%d}`, i))
		one.Expect(want)
		two.Expect(want)
	}
	other.Fence()
}

func playCrash(t *testing.T, r *road, _ *gates) {
	c := r.dial(t, "")
	c.Join("a:other")
	for range 3 {
		joinRef := c.Join("a")
		c.Push("a", "bang", "{}")
		c.Expect(wstest.Crashed(joinRef, "a"))
		c.Want("a", "echo", `{}`, "error", `{"reason":"unmatched topic"}`)
	}
	c.Want("a:other", "echo", `{}`, "ok", `{}`)
}

func playLeave(t *testing.T, r *road, g *gates) {
	c := r.dial(t, "")
	joinRef := c.Join("a")
	ref := c.Push("a", "phx_leave", "{}")
	c.Expect(wstest.OK(joinRef, ref, "a"), wstest.Closed(joinRef, "a"))
	if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrLeft {
		t.Errorf("Terminate was told %v", err)
	}
	if err := r.Broadcast("a", "news", nil); err != nil {
		t.Error(err)
	}
	c.Fence()
}

func playDuplicateJoin(t *testing.T, r *road, g *gates) {
	c := r.dial(t, "")
	old := c.Join("a")
	ref := c.Push("a", "phx_join", "{}")
	c.Expect(wstest.OK(ref, ref, "a"), wstest.Closed(old, "a"))
	if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrDuplicateJoin {
		t.Errorf("Terminate was told %v", err)
	}
	if err := r.Broadcast("a", "news", nil); err != nil {
		t.Error(err)
	}
	c.Expect(wstest.Broadcast("a", "news", "{}"))
	c.Fence()
}

func playRejoin(t *testing.T, r *road, _ *gates) {
	c := r.dial(t, "")
	var frames []wstest.Frame
	var want []string
	for i := range 100 {
		topic := fmt.Sprintf("a:%d", i)
		f, ref := c.Frame(topic, "phx_join", "{}")
		frames, want = append(frames, f), append(want, wstest.OK(ref, ref, topic))
	}
	c.Send(frames...)
	c.Expect(want...)
	ref := c.Push("a:more", "phx_join", "{}")
	c.Expect(wstest.Refused(ref, ref, "a:more", "too many channels joined"))
}

func playDisconnect(t *testing.T, r *road, g *gates) {
	one, two, other := r.dial(t, "&user=1"), r.dial(t, "&user=1"), r.dial(t, "&user=2")
	one.Join("a")
	two.Fence() // opened, and so subscribed
	other.Fence()
	if err := r.Disconnect("users:1"); err != nil {
		t.Error(err)
	}
	if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrDisconnected {
		t.Errorf("Terminate was told %v", err)
	}
	r.ends(t, one, 1001)
	r.ends(t, two, 1001)
	other.Fence()
}

// playShutdown lets a handler finish: its reply is the last thing.
func playShutdown(t *testing.T, r *road, g *gates) {
	c := r.dial(t, "")
	joinRef := c.Join("a")
	ref := c.Push("a", "hang", "{}")
	waittest.Next(t, "the handler", g.entered)
	polls := r.Stats().Transports["longpoll"].Extra["polls"]
	done := make(chan error, 2)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		done <- r.Shutdown(ctx)
	}()
	go func() {
		// Over long polling there is an answer only for who asks.
		for end := time.Now().Add(wstest.Patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			asked := r.transport == "websocket" || r.Stats().Transports["longpoll"].Extra["polls"] > polls
			if asked && len(r.log.about("draining connections")) > 0 {
				break
			}
		}
		g.open <- struct{}{}
		done <- nil
	}()
	c.Expect(wstest.V2(joinRef, "null", "a", "too late", "{}"))
	if r.transport == "websocket" { // over the other, the push has ended the poll
		c.Expect(wstest.OK(joinRef, ref, "a"))
	} else if _, rest := c.DrainToClose(); len(rest) > 1 {
		t.Errorf("more than the reply: %v", rest)
	}
	if r.transport == "websocket" {
		c.ExpectClose(1012)
	}
	for range 2 {
		if err := waittest.Next(t, "the end of Shutdown", done); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrDraining {
		t.Errorf("Terminate was told %v", err)
	}
}

// playSlowConsumer has a client stop reading while broadcasts go on.
func playSlowConsumer(t *testing.T, r *road, g *gates) {
	slow, bystander := r.dial(t, ""), r.dial(t, "")
	if tcp, ok := slow.Conn().(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(256 << 10); err != nil {
			t.Fatal(err)
		}
	}
	slow.Join("a")
	bystander.Join("a")
	filler := strings.Repeat("x", 16<<10)
	for sent := 0; r.Stats().Transports["websocket"].SlowConsumers+r.Stats().Transports["longpoll"].SlowConsumers == 0; sent++ {
		if sent > 10_000 {
			t.Fatal("160 MiB were taken by a client that does not read")
		}
		if err := r.Broadcast("a", "n", map[string]any{"n": sent, "filler": filler}); err != nil {
			t.Error(err)
		}
		bystander.Expect(wstest.Broadcast("a", "n", fmt.Sprintf(`{"filler":"%s","n":%d}`, filler, sent)))
	}
	if err := waittest.Next(t, "Terminate", g.ends); err != transport.ErrSlowConsumer {
		t.Errorf("Terminate was told %v", err)
	}
	if code, got := slow.DrainToClose(); r.transport == "websocket" && code != 1013 {
		t.Errorf("closed with %d after %d messages", code, len(got))
	}
	bystander.Fence()
	eventually(t, "the slow client is logged", func() bool { return len(r.log.about("slow consumer closed")) == 1 })
}

// TestLongPollTwoEndpoints has requests of one session come to either of two endpoints in
// turn.
func TestLongPollTwoEndpoints(t *testing.T) {
	shared := pubsub.NewLocal()
	options := &bennu.EndpointOptions{PubSub: shared, Secret: []byte(strings.Repeat("s", 32))}
	mount := &bennu.SocketOptions{Transports: []transport.Transport{longpoll.New(nil)}}
	g := newGates()
	owner := serve(t, one("a*", roadRooms(g)), mount, options)
	relay := serve(t, one("a*", roadRooms(g)), mount, options)
	t.Cleanup(func() { close(g.open) })

	c := wstest.DialLongPoll(t, owner.polls())
	conn := c.Conn().(*wstest.LongPoll)
	conn.URLs = []string{relay.polls(), owner.polls()}
	other := wstest.DialLongPoll(t, relay.polls())
	other.Join("a")
	joinRef := c.Join("a")
	for i := range 20 {
		c.Want("a", "echo", fmt.Sprintf(`{"n":%d}`, i), "ok", fmt.Sprintf(`{"n":%d}`, i))
		ref := c.Push("a", "order", "{}")
		c.Expect(wstest.V2(joinRef, "null", "a", "1", "{}"), wstest.Broadcast("a", "2", "{}"),
			wstest.V2(joinRef, "null", "a", "3", "{}"), wstest.OK(joinRef, ref, "a"))
		other.Expect(wstest.Broadcast("a", "2", "{}"), wstest.Broadcast("a", "never", "{}"))
		if err := relay.Broadcast("a", "news", nil); err != nil {
			t.Error(err)
		}
		c.Expect(wstest.Broadcast("a", "news", "{}"))
		other.Expect(wstest.Broadcast("a", "news", "{}"))
	}
	if owner.Stats().Sockets != 1 || relay.Stats().Sockets != 1 || relay.Stats().Transports["longpoll"].Extra["relayed"] == 0 {
		t.Errorf("owner %+v\nrelay %+v", owner.Stats(), relay.Stats())
	}
	// The node that only passed on goes away, then the one that has the session.
	relay.shut(t)
	conn.URLs = []string{owner.polls()}
	c.Want("a", "echo", "{}", "ok", "{}")
	owner.shut(t)
	if _, before := c.DrainToClose(); len(before) > 0 {
		t.Errorf("before the end: %v", before)
	}
}

// TestShutdownFreesPolls shuts down while polls wait that nothing would end for an hour.
func TestShutdownFreesPolls(t *testing.T) {
	s := serve(t, one("*", rooms()), &bennu.SocketOptions{Transports: over(nil, &longpoll.Options{Window: time.Hour})}, nil)
	c := wstest.DialLongPoll(t, s.polls())
	c.Join("a")
	polls := s.Stats().Transports["longpoll"].Extra["polls"]
	done := make(chan struct{})
	go func() {
		defer close(done)
		for end := time.Now().Add(wstest.Patience); s.Stats().Transports["longpoll"].Extra["polls"] == polls && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		s.shut(t)
	}()
	if _, before := c.DrainToClose(); len(before) > 0 {
		t.Errorf("before the end: %v", before)
	}
	waittest.Next(t, "the end of Shutdown", done)
}
