package cluster

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// startBehind makes a cluster of two: a, and b, which reaches its broker, or a where
// there is none, through a bad network.
func startBehind(t *testing.T, kind string, probe time.Duration) (*nodes, []*node, *proxy) {
	t.Helper()
	c := newNodes(t, kind)
	change := func(o *nodeOptions) { o.Probe = cmp.Or(probe, o.Probe) }
	a := c.start("a", change)
	target := a.ready.Cluster
	if c.broker != nil {
		target = c.broker.addr()
	}
	p := startProxy(t, target)
	c.start("b", func(o *nodeOptions) {
		change(o)
		if c.broker == nil {
			o.Peers = []string{p.addr}
		} else {
			o.URL = scheme[kind] + p.addr
		}
	})
	c.meet()
	return c, c.list, p
}

// TestHalfOpen (F38): the network between a node and its broker loses everything, and
// tells nobody. The node finds out, and comes back.
func TestHalfOpen(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		_, list, p := startBehind(t, kind, waittest.Sized(200*time.Millisecond, 0))
		a := openAccount(t, "room:all", 5*time.Millisecond, 2, list...)
		for range waittest.Sized(1, 5) {
			a.begin(t)
			a.progress(t, "messages go both ways", 20)
			before := list[1].stats(t).PubSub
			p.silence()
			since := time.Now()
			for _, n := range list { // is lost, however late the nodes' own messages are
				a.book(t, n, n.publish(t, a.topic, 1))
			}
			if kind != kindEmbedded { // whose broker is within the process, and stays
				eventually(t, "the node knows that its broker is away", func() bool {
					h := list[1].stats(t).PubSub
					return !h.Connected || h.Since != before.Since
				})
				waittest.AtMost(t, "found after", time.Since(since), 10*time.Second)
			}
			a.progress(t, "messages go both ways again", 20)
			most := 13 * time.Second
			if kind == kindEmbedded { // a route is kept for four pings
				most = 24 * time.Second
			}
			waittest.AtMost(t, "both ways again after", time.Since(since), most)
			a.end(t)
			if missed := a.settle(t); missed == 0 {
				t.Error("nothing was missed: the network was sound")
			}
		}
	})
}

// TestGapIsOver: a client that was told of a gap, and has joined again, misses nothing of
// what is published from then on. Nothing follows that one message, whose number would
// tell. The network is slow: what has not got through yet shows.
func TestGapIsOver(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		_, list, p := startBehind(t, kind, time.Second)
		p.slow(150 * time.Millisecond)
		a := openAccount(t, "room:all", 0, 2, list...)
		cut := list[1] // what is published on the other is lost to it
		for round := range waittest.Sized(2, 6) {
			told := a.watchers[2].times()
			p.darken()
			// So long that the nodes forget each other, or not.
			if round%2 == 0 {
				eventually(t, "a node forgets the other", func() bool { return len(cut.stats(t).PubSub.Peers) == 0 })
			}
			lasts(waittest.Sized(time.Second, 3*time.Second))
			p.lighten()
			before := told
			eventually(t, "the client is told", func() bool {
				told = a.watchers[2].times() // one that comes after this is told of again
				return told > before && a.watchers[2].isJoined()
			})
			last := list[0].publish(t, a.topic, 1).Last
			eventually(t, "one message arrives, or a gap is told of again", func() bool {
				return a.watchers[2].tally.last("a") == last || a.watchers[2].times() > told
			})
			a.closing(t)
		}
		a.settle(t)
	})
}

// TestLatency (F38): a network that is slow, and sound, costs nothing but time.
func TestLatency(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		_, list, p := startBehind(t, kind, 0)
		p.slow(waittest.Sized(100*time.Millisecond, 300*time.Millisecond))
		a := openAccount(t, "room:all", 5*time.Millisecond, 2, list...)
		before := list[1].stats(t).PubSub
		a.begin(t)
		a.progress(t, "messages go both ways", waittest.Sized(50, 5000))
		a.end(t)
		if missed := a.settle(t); missed != 0 {
			t.Errorf("%d messages were missed", missed)
		}
		for _, w := range a.watchers {
			w.checkWhole(t)
		}
		if h := list[1].stats(t).PubSub; h.Since != before.Since || h.Gaps != before.Gaps {
			t.Errorf("the connection was lost: %+v", h)
		}
	})
}

// TestCut (F32, F38): connections that end in the middle of a frame.
func TestCut(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		_, list, p := startBehind(t, kind, time.Second)
		a := openAccount(t, "room:all", 2*time.Millisecond, 2, list...)
		a.begin(t)
		for i := range waittest.Sized(4, 100) {
			a.progress(t, "messages go both ways", 10)
			p.cutAfter(1000 + rand.IntN(5000))
			eventually(t, "the connection is cut", func() bool { return p.cutsSoFar() > i })
		}
		a.progress(t, "messages go both ways again", 10)
		a.end(t)
		a.settle(t)
	})
}

// TestTooLarge (F38): a message that the broker does not take is an error to who
// publishes it, and nothing else. A large one that it takes is delivered.
func TestTooLarge(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		_, list := startNodes(t, kind, nil, "a", "b")
		a := openAccount(t, "room:all", 5*time.Millisecond, 1, list...)
		const topic = "room:huge"
		do[struct{}](t, list[1], "subscribe", hearing{topic})
		a.acquaint(t)
		before := make(map[*node]stats)
		for _, n := range list {
			before[n] = n.stats(t)
		}
		for range 3 {
			if got := do[cast](t, list[0], "cast", casting{Topic: topic, Event: "huge", Size: tooLarge[kind]}); got.Err != "too large" {
				t.Errorf("Broadcast: %q, want pubsub.ErrTooLarge", got.Err)
			}
		}
		if got := do[cast](t, list[0], "cast", casting{Topic: topic, Event: "large", Size: large[kind]}); got.Err != "" {
			t.Fatalf("Broadcast: %q, want no error", got.Err)
		}
		var heard []string
		eventually(t, "the large one is heard", func() bool { heard = do[[]string](t, list[1], "events", hearing{topic}); return len(heard) > 0 })
		if !slices.Equal(heard, []string{"large"}) {
			t.Errorf("heard %q, want only the large one", heard)
		}
		a.closing(t)
		if missed := a.settle(t); missed != 0 {
			t.Errorf("%d messages were missed", missed)
		}
		for _, n := range list {
			if h := n.stats(t).PubSub; h.Gaps != before[n].PubSub.Gaps || n == list[0] && h.Since != before[n].PubSub.Since {
				t.Errorf("%s: the connection was lost: %+v", n.name, h)
			}
		}
		for _, w := range a.watchers {
			w.checkWhole(t)
		}
	})
}
