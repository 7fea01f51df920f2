package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// member is a channel that tells how it ended.
type member struct {
	*bennu.Channel
	ended chan error
}

func (m *member) Terminate(reason error) { m.ended <- reason }

// node is a server of a cluster in memory, and the ends of its channels.
type node struct {
	*server
	ended chan error
}

func joinNode(t *testing.T, broker *pubsubtest.Memory, name string, ignoreGaps bool) *node {
	t.Helper()
	n := &node{ended: make(chan error, 100)}
	members := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*member, bennu.Empty, error) {
		return &member{ch, n.ended}, bennu.Empty{}, nil
	})
	bennu.On(members, "shout", func(m *member, _ context.Context, in bennu.Raw) (bennu.NoReply, error) {
		return bennu.NoReply{}, m.Broadcast("shout", in)
	})
	users := one("room:*", members)
	users.ID = func(*bennu.Socket) string { return "user:1" }
	n.server = serve(t, users, nil, &bennu.EndpointOptions{PubSub: pubsubtest.Start(t, broker.Node(t, name), nil), IgnoreGaps: ignoreGaps})
	return n
}

// TestNodes has clients of two nodes in one room.
func TestNodes(t *testing.T) {
	var broker pubsubtest.Memory
	a, b := joinNode(t, &broker, "a", false), joinNode(t, &broker, "b", false)
	near, far := wstest.Dial(t, a.url), wstest.Dial(t, b.url)
	near.Join("room:1")
	ref := far.Join("room:1")
	far.Send(wstest.Text(wstest.V2(ref, `"9"`, "room:1", "shout", `{"n":1}`)))
	for _, c := range []*wstest.Client{near, far} {
		c.Expect(`[null,null,"room:1","shout",{"n":1}]`)
	}
	heard := make(chan bennu.Broadcast, 1)
	defer b.Subscribe("news", func(_ context.Context, m bennu.Broadcast) { heard <- m }).Cancel()
	eventually(t, "interest is confirmed", func() bool { return b.PubSub().Health().Pending == 0 })
	if err := a.Broadcast("news", "extra", map[string]int{"n": 2}); err != nil {
		t.Error(err)
	}
	if m := waittest.Next(t, "the other node hears a broadcast", heard); m.Event != "extra" || string(m.Payload.Data) != `{"n":2}` {
		t.Errorf("heard %+v", m)
	}
	if err := a.Disconnect("user:1"); err != nil {
		t.Error(err)
	}
	for _, n := range []*node{a, b} {
		if reason := waittest.Next(t, "the connection of another node is closed by its id", n.ended); !errors.Is(reason, bennu.ErrDisconnected) {
			t.Errorf("reason %v", reason)
		}
	}
}

// TestGap takes the broker away for a moment: channels go on, and are then told that
// they may have missed something, and nobody who joins later is.
func TestGap(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		t.Run(fmt.Sprint("ignored ", ignore), func(t *testing.T) {
			var broker pubsubtest.Memory
			a, b := joinNode(t, &broker, "a", ignore), joinNode(t, &broker, "b", false)
			c := wstest.Dial(t, a.url)
			ref := c.Join("room:1")
			mend := broker.Break()
			c.Send(wstest.Text(wstest.V2(ref, `"9"`, "room:1", "shout", `{"n":1}`)))
			c.Expect(`[null,null,"room:1","shout",{"n":1}]`)
			mend()
			if ignore {
				eventually(t, "the broker is back", func() bool { return a.PubSub().Health().Gaps == 1 })
				if err := b.Broadcast("room:1", "x", nil); err != nil {
					t.Error(err)
				}
				c.Expect(`[null,null,"room:1","x",{}]`)
				return
			}
			c.Expect(fmt.Sprintf(`[%s,%s,"room:1","phx_error",{"reason":"channel_crash"}]`, ref, ref))
			if reason := waittest.Next(t, "the channel ends", a.ended); !errors.Is(reason, bennu.ErrGap) {
				t.Errorf("reason %v", reason)
			}
			eventually(t, "the gap is counted", func() bool { return a.Stats().Gaps > 0 })
			if s := a.Stats(); s.Gaps != 1 || s.Crashes != 0 || s.PubSub.Gaps != 1 {
				t.Errorf("stats %+v", s)
			}
			if lines := a.log.about("channel crashed"); len(lines) != 0 {
				t.Errorf("a gap is logged as a crash: %q", lines)
			}
			c.Join("room:1")
			if err := b.Broadcast("room:1", "x", nil); err != nil {
				t.Error(err)
			}
			c.Expect(`[null,null,"room:1","x",{}]`)
		})
	}
}

// TestUnsound has a stranger at the broker who can make messages that decode.
func TestUnsound(t *testing.T) {
	var broker pubsubtest.Memory
	a := joinNode(t, &broker, "a", false)
	stranger := pubsubtest.Start(t, broker.Node(t, "stranger"), nil)
	c := wstest.Dial(t, a.url)
	c.Join("room:1")
	heard := make(chan bennu.Broadcast, 10)
	defer a.Subscribe("room:1", func(_ context.Context, m bennu.Broadcast) { heard <- m }).Cancel()
	bad := []pubsub.Message{
		{Event: "x"}, {Event: "x", Payload: []byte("[1]")}, {Event: "x", Payload: []byte(`{"a":`)}, {Event: "x", Payload: []byte("{}]")},
		{Event: "x\xff", Payload: []byte("{}")}, {Event: "x", Payload: []byte(`{},"admin",{}`)}, {Event: "x", Payload: []byte("{\"a\":\"\x00\"}")},
	}
	for _, m := range bad {
		m.Topic = "room:1"
		if err := stranger.Broadcast(&m); err != nil {
			t.Error(err)
		}
	}
	if err := stranger.Broadcast(&pubsub.Message{Topic: "room:1", Event: "good", Payload: []byte("{}")}); err != nil {
		t.Error(err)
	}
	c.Expect(`[null,null,"room:1","good",{}]`)
	if m := waittest.Next(t, "the good one is heard", heard); m.Event != "good" {
		t.Errorf("heard %+v", m)
	}
	if n := a.Stats().Unsound; n != int64(len(bad)) {
		t.Errorf("%d are counted, want %d", n, len(bad))
	}
}
