package natspubsub

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
	"github.com/bennu-go/bennu/test/replay"
)

// stranger records the messages of all nodes on a connection, and returns a function that publishes
// them again.
func stranger(t *testing.T, c *nats.Conn, tape *replay.Tape) (publish func(string, []byte)) {
	t.Helper()
	t.Cleanup(c.Close)
	for _, subject := range []string{"bennu.t.*", "bennu.n.*", "bennu.c"} {
		if _, err := c.Subscribe(subject, func(m *nats.Msg) {
			if m.Header.Get("Again") == "" {
				tape.Add(m.Subject, m.Data)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.FlushTimeout(waittest.Patience); err != nil {
		t.Fatal(err)
	}
	return func(channel string, data []byte) {
		m := nats.NewMsg(channel)
		m.Data = data
		m.Header.Set("Again", "1")
		if err := c.PublishMsg(m); err != nil {
			t.Error(err)
		}
		if err := c.FlushTimeout(waittest.Patience); err != nil {
			t.Error(err)
		}
	}
}

// TestReplay lets a stranger publish recorded messages again.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	c, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	var tape replay.Tape
	publish := stranger(t, c, &tape)
	replay.Run(t, func(t testing.TB, name string) pubsub.Adapter {
		return b.node(t, name, func(o *Options) { o.Secret = replay.Secret })
	}, &tape, publish)
}

// TestEmbeddedReplay is the same with a stranger that is connected to the server of one node.
func TestEmbeddedReplay(t *testing.T) {
	t.Parallel()
	var tape replay.Tape
	cluster := &embeddedNodes{change: func(o *EmbeddedOptions) { o.Secret = replay.Secret }}
	// A node that publishes nothing, to which the stranger connects.
	open := embedded(t, EmbeddedOptions{Node: "open", Secret: replay.Secret})
	pubsubtest.Start(t, open, nil)
	cluster.started = append(cluster.started, open)
	server := open.link.server
	c, err := nats.Connect("", nats.InProcessServer(open.link), nats.UserInfo(server.Username, server.Password))
	if err != nil {
		t.Fatal(err)
	}
	publish := stranger(t, c, &tape)
	replay.Run(t, cluster.node, &tape, publish, "open")
}
