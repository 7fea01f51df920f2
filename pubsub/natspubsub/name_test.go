package natspubsub

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// TestNameOfTheDead uses the name of a node that was killed.
func TestNameOfTheDead(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	dead, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"bennu.h.a", "bennu.e", "bennu.n.a"} {
		if _, err := dead.ChanSubscribe(subject, make(chan *nats.Msg, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := dead.FlushTimeout(waittest.Patience); err != nil {
		t.Fatal(err)
	}
	dead.Close() // as the system does when the process is killed
	again := pubsubtest.Start(t, b.node(t, "a", nil), nil)
	if h := again.Health(); h.Err != nil || h.Conflicts != 0 {
		t.Errorf("health %+v", h)
	}
}

// TestNameUnderEavesdropping refuses a taken name although somebody subscribes to everything, so
// that NATS cannot tell whether the name is taken.
func TestNameUnderEavesdropping(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	c, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Subscribe(">", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	if err := c.FlushTimeout(waittest.Patience); err != nil {
		t.Fatal(err)
	}
	first := pubsubtest.Start(t, b.node(t, "a", nil), nil)
	if err := startError(t, b.node(t, "a", nil)); !errors.Is(err, pubsub.ErrNameTaken) {
		t.Errorf("a second node of one name: %v", err)
	}
	// The node that was refused does not disturb the node that has the name.
	if h := first.Health(); h.Err != nil || !h.Connected {
		t.Errorf("the first one: %+v", h)
	}
}

// TestNamesakesMeet starts two nodes with one name that do not reach each other until a third one
// connects them. The younger leaves the cluster, and reports the reason.
func TestNamesakesMeet(t *testing.T) {
	t.Parallel()
	older := embedded(t, EmbeddedOptions{Node: "a", Probe: time.Second})
	p := pubsubtest.Start(t, older, nil)
	younger := embedded(t, EmbeddedOptions{Node: "a", Probe: time.Second})
	q := pubsubtest.Start(t, younger, nil)
	box, far := newInbox(), newInbox()
	await(t, p.Subscribe("t", box))
	await(t, q.Subscribe("t", far))
	r := pubsubtest.Start(t, embedded(t, EmbeddedOptions{
		Node: "c", Probe: time.Second, Peers: []string{older.Addr().String(), younger.Addr().String()},
	}), nil)

	eventually(t, "the younger one leaves", func() bool {
		h := q.Health()
		return errors.Is(h.Err, pubsub.ErrNameTaken) && !h.Connected
	})
	if err := q.Broadcast(&pubsub.Message{Topic: "t"}); !errors.Is(err, pubsub.ErrNameTaken) {
		t.Errorf("Broadcast of the younger one: %v", err)
	}
	select {
	case <-far.gaps:
	case <-time.After(waittest.Patience):
		t.Error("its subscribers are not told")
	}
	eventually(t, "the older one is well", func() bool { h := p.Health(); return h.Connected && h.Err == nil })
	eventually(t, "the older one gets messages", func() bool {
		if err := r.Broadcast(&pubsub.Message{Topic: "t", Event: "x"}); err != nil {
			t.Error(err)
		}
		return len(box.messages) > 0
	})
	if m := box.next(t); m.Event != "x" {
		t.Errorf("the older one got %q", m.Event)
	}
}
