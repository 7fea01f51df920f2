package natspubsub

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// heard is a node that records the events of its link.
type heard struct {
	messages chan string
	ups      chan struct{}
	refused  chan *cluster.Refusal
}

func (h *heard) Message(channel string, _ []byte) { h.messages <- channel }
func (h *heard) Down(error)                       {}
func (h *heard) Up()                              { h.ups <- struct{}{} }
func (h *heard) Refused(r *cluster.Refusal)       { h.refused <- r }
func (h *heard) Unsent(string, error)             {}
func (h *heard) Dropped(error)                    {}

// openLink opens a link without a node.
func openLink(t *testing.T, b *broker) (*link, *heard) {
	t.Helper()
	l := newLink("", 0)
	l.url = b.url()
	l.options = []nats.Option{nats.SetCustomDialer(l.dialer(time.Minute))}
	h := &heard{make(chan string, 1<<10), make(chan struct{}, 1<<10), make(chan *cluster.Refusal, 1<<10)}
	if err := l.Open(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, h
}

// hears fails unless a message to a channel arrives.
func (h *heard) hears(t *testing.T, l *link, channel string) {
	t.Helper()
	if _, err := l.Publish(t.Context(), []cluster.Outgoing{{Channel: channel, Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if got := waittest.Next(t, "a message", h.messages); got != channel {
		t.Errorf("a message of %s, want %s", got, channel)
	}
}

// TestEndsWhileSubscribingAnew closes a connection for good before all topics are subscribed again.
func TestEndsWhileSubscribingAnew(t *testing.T) {
	t.Parallel()
	l, h := openLink(t, startBroker(t, nil))
	if err := l.Subscribe(t.Context(), []string{"bennu.t.a", "bennu.t.b"}); err != nil {
		t.Fatal(err)
	}
	l.take(t.Context())
	l.conn.Load().Close()
	answered := l.subscribeAnew()
	l.give()
	if answered {
		t.Error("a connection that has ended has answered")
	}
	waittest.Next(t, "the connection is back", h.ups)
	h.hears(t, l, "bennu.t.a")
	h.hears(t, l, "bennu.t.b")
}

// TestLostWhileSubscribing loses the connection before topics are subscribed, more than NATS accepts.
// The client subscribes to them itself, with all others, when it connects again.
func TestLostWhileSubscribing(t *testing.T) {
	t.Parallel()
	b := startBroker(t, func(o *server.Options) { o.MaxSubs = 3 })
	l, h := openLink(t, b)
	l.take(t.Context())
	for _, c := range connections(t, b.running) {
		if err := b.running.DisconnectClientByID(c); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the client has connected again", func() bool { return l.conn.Load().Stats().Reconnects == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	err := l.subscribe(ctx, []string{"bennu.t.a", "bennu.t.b", "bennu.t.c"})
	l.give()
	if err == nil {
		t.Error("NATS has taken more than it may")
	} else if _, refused := err.(*cluster.Refusal); refused {
		t.Errorf("what is refused may be another one: %v", err)
	}
	waittest.Next(t, "the connection is back", h.ups)
	if r := waittest.Next(t, "one is refused", h.refused); len(r.Channels) != 1 || r.Channels[0] != "bennu.t.c" {
		t.Errorf("%v are refused", r.Channels)
	}
	h.hears(t, l, "bennu.t.a")
	h.hears(t, l, "bennu.t.b")
}

// TestBarrierOfBefore lets the error for a message of an earlier subscription arrive late.
func TestBarrierOfBefore(t *testing.T) {
	t.Parallel()
	l, _ := openLink(t, startBroker(t, nil))
	conn := l.conn.Load()
	before := l.barrier.sub.Load()
	l.barrier.renew(conn)
	l.barrier.pass(before)
	if len(l.barrier.passed) > 0 {
		t.Error("the complaint of a subscription before is taken")
	}
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	if !l.barrier.wait(ctx, conn) {
		t.Error("no complaint comes")
	}
}
