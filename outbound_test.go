package bennu_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// sizedPayload is a payload of n bytes.
func sizedPayload(n int) bennu.Raw { return bennu.Raw(`{"x":"` + strings.Repeat("x", n-8) + `"}`) }

// largeRooms is a channel that answers with more than its client can get, in each way there is.
func largeRooms(large bennu.Raw, ended chan error) *bennu.Definition[*member] {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in struct{ Large bool }) (*member, bennu.Raw, error) {
		if in.Large {
			return &member{ch, ended}, large, nil
		}
		return &member{ch, ended}, nil, nil
	})
	bennu.On(d, "echo", func(_ *member, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	bennu.On(d, "reply", func(*member, context.Context, bennu.Empty) (bennu.Raw, error) { return large, nil })
	bennu.On(d, "error", func(*member, context.Context, bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, &bennu.Error{Reason: "a", Response: large}
	})
	bennu.On(d, "push", func(m *member, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, m.Push("p", large)
	})
	bennu.On(d, "broadcast", func(m *member, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, fmt.Errorf("shout: %w", m.Broadcast("b", large))
	})
	bennu.On(d, "later", func(m *member, ctx context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		ref := bennu.ReplyRef(ctx)
		m.Go(func(context.Context) error {
			if err := ref.Reply(large); !errors.Is(err, bennu.ErrTooLarge) {
				return ref.Reply(map[string]string{"err": fmt.Sprint(err)})
			}
			return ref.Refuse(&bennu.Error{Reason: "too large"})
		})
		return bennu.NoReply{}, nil
	})
	bennu.On(d, "stop", func(*member, context.Context, bennu.Empty) (bennu.Raw, error) { return large, bennu.Stop })
	bennu.Intercept(d, "cut", func(m *member, _ context.Context, _ bennu.Raw) error {
		if err := m.Push("cut", large); !errors.Is(err, bennu.ErrTooLarge) {
			return err
		}
		return m.Push("cut", nil)
	})
	return d
}

// TestTooLarge makes messages that are larger than what may wait for a client, in every way
// that there is, over both transports: who made them is told, and no connection ends.
func TestTooLarge(t *testing.T) {
	const most = 64 << 10
	large := sizedPayload(most + 1)
	for _, transport := range []string{"websocket", "longpoll"} {
		t.Run(transport, func(t *testing.T) {
			ended := make(chan error, 10)
			s := serve(t, one("a*", largeRooms(large, ended)), &bennu.SocketOptions{
				Transports: over(&websocket.Options{MaxQueueBytes: most}, &longpoll.Options{MaxBufferBytes: most}),
			}, nil)
			r := &road{s, transport}
			c, other := r.dial(t, ""), r.dial(t, "")
			c.Join("a")
			other.Join("a")
			const tooLarge = `{"reason":"too large"}`
			for _, event := range []string{"reply", "error", "push", "broadcast", "later"} {
				c.Want("a", event, "{}", "error", tooLarge)
			}
			for what, err := range map[string]error{
				"Broadcast": s.Broadcast("a", "b", large), "LocalBroadcast": s.LocalBroadcast("a", "b", large),
				"BroadcastFrom": s.BroadcastFrom(nil, "a", "b", large), "binary": s.Broadcast("a", "b", []byte(large)),
				"PubSub": s.PubSub().Broadcast(&pubsub.Message{Topic: "a", Event: "b", Payload: large}),
			} {
				if !errors.Is(err, bennu.ErrTooLarge) {
					t.Errorf("%s of a payload that no client can get: %v", what, err)
				}
			}
			if err := s.Broadcast("elsewhere", "b", large); err != nil {
				t.Errorf("a broadcast on a topic that no client can join: %v", err)
			}
			if err := s.Broadcast("a", "cut", nil); err != nil {
				t.Error(err)
			}
			c.Event("a", "cut")
			other.Event("a", "cut")

			// A join is refused, and its instance has its end.
			status, response := c.Ask("a:2", "phx_join", `{"large":true}`)
			if status != "error" || response != tooLarge {
				t.Errorf("the join was answered %s %s", status, response)
			}
			if reason := waittest.Next(t, "the end of the instance", ended); !errors.Is(reason, bennu.ErrTooLarge) {
				t.Errorf("Terminate got %v", reason)
			}
			c.Want("a:2", "echo", "{}", "error", `{"reason":"unmatched topic"}`)

			// What fits goes through, to the last byte that a client may send.
			legal := string(sizedPayload(most - 1<<10 - 200))
			c.Want("a", "echo", legal, "ok", legal)
			c.Fence() // over long polling it has acknowledged the reply
			if err := s.Broadcast("a", "b", bennu.Raw(legal)); err != nil {
				t.Error(err)
			}
			c.Event("a", "b")
			other.Event("a", "b")
			c.Want("a", "stop", "{}", "error", tooLarge)
			c.Event("a", "phx_close")
			other.Fence()
			c.Fence()
			if n := s.Stats(); n.Sockets != 2 || n.Reasons["frame_too_large"] != 14 || n.Reasons["slow_consumer"] != 0 || n.Crashes != 0 {
				t.Errorf("%+v", n)
			}
			for _, line := range s.log.about("a message to clients was refused: it is larger than the queue of one of them") {
				for _, part := range []string{"topic=a", "bytes=6", "limit=65536"} {
					if !strings.Contains(line, part) {
						t.Errorf("lacks %s: %s", part, line)
					}
				}
			}
		})
	}
}

// TestTooLargeFromElsewhere has a node with wider limits broadcast to one with narrow ones: there
// nobody is closed, and channels know that they have missed something.
func TestTooLargeFromElsewhere(t *testing.T) {
	var broker pubsubtest.Memory
	serveNode := func(name string, queue int) *server {
		return serve(t, one("a", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{MaxQueueBytes: queue})}},
			&bennu.EndpointOptions{PubSub: pubsubtest.Start(t, broker.Node(t, name), nil)})
	}
	wide, narrow := serveNode("wide", 1<<20), serveNode("narrow", 64<<10)
	near, far := wstest.Dial(t, wide.url), wstest.Dial(t, narrow.url)
	near.Join("a")
	ref := far.Join("a")
	if err := wide.Broadcast("a", "b", sizedPayload(100<<10)); err != nil {
		t.Error(err)
	}
	near.Event("a", "b")
	far.Expect(wstest.Crashed(ref, "a"))
	far.Join("a")
	if err := wide.Broadcast("a", "c", nil); err != nil {
		t.Error(err)
	}
	far.Event("a", "c")
	ref = far.JoinRef("a")
	narrow.PubSub().LocalBroadcast(&pubsub.Message{Topic: "a", Event: "b", Payload: sizedPayload(100 << 10)})
	far.Expect(wstest.Crashed(ref, "a"))
	eventually(t, "both gaps are counted", func() bool { return narrow.Stats().Reasons["gap"] >= 2 })
	if r := narrow.Stats().Reasons; r["frame_too_large"] != 2 || r["gap"] != 2 {
		t.Errorf("%v", r)
	}
}

// TestLargestMessage has many clients in a room and one of them send the largest message that it
// may, with the limits that are the defaults: all get all, and nobody is closed.
func TestLargestMessage(t *testing.T) { engines(t, testLargestMessage) }

func testLargestMessage(t *testing.T, options *bennu.EndpointOptions) {
	clients, times := sized(8, 1000), sized(4, 100)
	d := rooms()
	bennu.On(d, "shout", func(r *room, _ context.Context, in bennu.Raw) (bennu.NoReply, error) {
		return bennu.NoReply{}, r.Broadcast("shout", in)
	})
	s := serve(t, one("a", d), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{IdleTimeout: bennu.Unlimited})}}, options)
	var all []*wstest.Client
	for i := range clients {
		url := s.url
		if i%4 == 3 {
			url = strings.Replace(url, "2.0.0", "1.0.0", 1)
		}
		c := wstest.Dial(t, url)
		if i%4 == 3 {
			c.Send(wstest.Text(`{"topic":"a","event":"phx_join","payload":{},"ref":"1"}`))
			c.Next()
		} else {
			c.Join("a")
		}
		all = append(all, c)
	}
	message := wstest.V2(all[0].JoinRef("a"), "null", "a", "shout", "{}")
	message = strings.TrimSuffix(message, "{}]") + string(sizedPayload(1<<20-len(message)+2)) + "]"
	if len(message) != 1<<20 {
		t.Fatalf("the message has %d bytes", len(message))
	}
	shout := wstest.Text(message).Append(nil)
	for range times {
		var readers sync.WaitGroup
		for _, c := range all {
			readers.Go(func() {
				if err := skipFrame(c.Conn(), 1<<20-100); err != nil {
					t.Error(err)
				}
			})
		}
		all[0].Write(shout)
		readers.Wait()
		if t.Failed() {
			return
		}
	}
	if n := s.Stats(); n.Sockets != clients || n.Transports["websocket"].SlowConsumers != 0 || len(n.Reasons) != 0 {
		t.Errorf("%+v", n)
	}
}

// skipFrame reads one frame of text, of at least that many bytes, and keeps nothing of it.
func skipFrame(c net.Conn, least int64) error {
	_ = c.SetReadDeadline(time.Now().Add(5 * wstest.Patience))
	var head [10]byte
	for head[0] != 0x81 { // or a ping
		if _, err := io.ReadFull(c, head[:2]); err != nil || head[0] != 0x81 && head[0] != 0x89 {
			return fmt.Errorf("a frame that begins with % x, %w", head[:2], err)
		}
	}
	if _, err := io.ReadFull(c, head[2:]); err != nil {
		return err
	}
	if n := int64(binary.BigEndian.Uint64(head[2:])); head[0] != 0x81 || head[1] != 127 || n < least {
		return fmt.Errorf("a frame that begins with % x", head)
	}
	buf := skipBuffers.Get().(*[64 << 10]byte)
	defer skipBuffers.Put(buf)
	for left := int64(binary.BigEndian.Uint64(head[2:])); left > 0; {
		n, err := c.Read(buf[:min(left, int64(len(buf)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

var skipBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// TestLargeBroadcastsToInterceptors publishes a burst of large broadcasts to channels that
// intercept them, and one that is as large as may wait for a client.
func TestLargeBroadcastsToInterceptors(t *testing.T) {
	d := rooms()
	bennu.Intercept(d, "big", func(r *room, _ context.Context, in bennu.Raw) error { return r.Push("big", in) })
	s := serve(t, one("a", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	for range 5 {
		if err := s.Broadcast("a", "big", sizedPayload(600<<10)); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		c.Event("a", "big")
	}
	c.Fence() // nothing waits for the client any more
	if err := s.Broadcast("a", "alone", sizedPayload(4<<20-200)); err != nil {
		t.Fatal(err)
	}
	c.Event("a", "alone")
	c.Fence()
}
