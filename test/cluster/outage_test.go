package cluster

import (
	"cmp"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// outage takes a broker away for a time, while nodes publish to each other, and
// accounts for every message. It may last until more was published than a node keeps.
func outage(t *testing.T, kind string, o *nodeOptions, away, bring func(b broker), span time.Duration, refuses bool) (missed int) {
	t.Helper()
	c, list := startNodes(t, kind, func(n *nodeOptions) { n.Probe, n.Buffer = cmp.Or(o.Probe, n.Probe), o.Buffer }, "a", "b")
	a := openAccount(t, "room:all", 5*time.Millisecond, waittest.Sized(3, 50), list...)
	a.begin(t)
	a.progress(t, "messages go both ways", 20)

	away(c.broker)
	lasts(span)
	for _, n := range list {
		if refuses {
			eventually(t, "a message is refused", func() bool { return n.stats(t).PubSub.Lost > 0 })
		}
		n.join(t, a.topic).Abort() // answered without the broker
	}
	bring(c.broker)
	back := time.Now()
	a.progress(t, "messages go both ways again", 5)
	waittest.AtMost(t, "both ways after the broker's return", time.Since(back), 3*time.Second)
	for _, n := range list {
		eventually(t, "the node is well", func() bool { s := n.stats(t).PubSub; return s.Connected && len(s.Peers) == 1 })
	}
	a.end(t)
	missed = a.settle(t)
	waittest.AtMost(t, "the slowest call of Broadcast", a.slowest, time.Second)
	return missed
}

// TestBrokerKilled (F36): the broker is killed and comes back with nothing.
func TestBrokerKilled(t *testing.T) {
	forKinds(t, brokerKinds, func(t *testing.T, kind string) {
		type row struct {
			name   string
			span   time.Duration
			buffer int
			loses  bool
		}
		rows := []row{
			{name: "short", span: time.Second},
			// Much more is published than may wait.
			{name: "small buffer", span: 2 * time.Second, buffer: waittest.Sized(4<<10, 16<<10), loses: true},
		}
		if waittest.Full {
			rows = append(rows, row{name: "long", span: 30 * time.Second})
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				missed := outage(t, kind, &nodeOptions{Buffer: row.buffer},
					func(b broker) { b.kill(t) }, func(b broker) { b.restart(t) }, row.span, row.loses)
				if row.loses && missed == 0 {
					t.Error("nothing was missed: the buffer was not full")
				}
			})
		}
	})
}

// TestBrokerStopped (F36): the broker's process stops for a while; its connections do
// not. What a node notices depends on its probe.
func TestBrokerStopped(t *testing.T) {
	forKinds(t, brokerKinds, func(t *testing.T, kind string) {
		for _, row := range []struct {
			name  string
			probe time.Duration
		}{
			{name: "not noticed", probe: time.Minute},
			{name: "noticed", probe: 200 * time.Millisecond},
		} {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				outage(t, kind, &nodeOptions{Probe: row.probe},
					func(b broker) { b.suspend(t) }, func(b broker) { b.resume(t) }, waittest.Sized(2*time.Second, 20*time.Second), false)
			})
		}
	})
}
