package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestKilledNode: one of three nodes is killed. The clients of the two others notice
// nothing, and it takes part again once it is back under its name.
func TestKilledNode(t *testing.T) {
	forKinds(t, waittest.Sized([]string{kindEmbedded}, kinds), func(t *testing.T, kind string) {
		const topic = "room:all"
		c, list := startNodes(t, kind, nil, "a", "b", "c")
		survivors := openAccount(t, topic, 2*time.Millisecond, waittest.Sized(5, 20), list[0], list[1])
		victim := list[2]
		before := troubles(t, list[:2])
		for round := range waittest.Sized(1, 20) {
			own := fmt.Sprint("victim", round) // a process numbers from 1
			victim.listen(t, topic)
			victim.watch(t, topic)
			survivors.begin(t)
			do[struct{}](t, victim, "flow", publishing{Topic: topic, From: own, Every: 2 * time.Millisecond})
			eventually(t, "the victim publishes and hears", func() bool {
				h := victim.heard(t, topic)
				return h.From["a"].Got > 20 && h.From["b"].Got > 20 && h.From[own].Got > 20
			})

			victim.kill()
			survivors.progress(t, "the survivors go on", 50)
			for _, n := range list[:2] {
				n.join(t, "room:new").Abort()
				n.join(t, topic).Abort()
			}
			survivors.progress(t, "the survivors go on", 200)
			survivors.end(t)
			before.same(t)

			victim = c.start("c", nil)
			c.meet()
			all := openAccount(t, fmt.Sprint("room:again", round), time.Millisecond, 1, list[0], list[1], victim)
			before = troubles(t, list[:2]) // who is late to take note of that interest tells of a gap
			all.begin(t)
			all.progress(t, "all three hear each other", 100)
			all.end(t)
			if missed := all.settle(t); missed != 0 {
				t.Errorf("%d messages were missed with the restarted node", missed)
			}
		}
		if missed := survivors.settle(t); missed != 0 {
			t.Errorf("the survivors missed %d messages", missed)
		}
		for _, w := range survivors.watchers {
			w.checkWhole(t)
		}
		before.same(t)
	})
}

// trouble is how often nodes were in trouble.
type trouble map[*node][3]int64

func troubles(t testing.TB, list []*node) trouble {
	t.Helper()
	all := make(trouble)
	for _, n := range list {
		s := n.stats(t)
		all[n] = [3]int64{s.PubSub.Gaps, int64(s.Gaps), int64(s.Crashes)}
	}
	return all
}

// same wants that they were in none since.
func (before trouble) same(t testing.TB) {
	t.Helper()
	for n, b := range before {
		if now := troubles(t, []*node{n})[n]; now != b {
			t.Errorf("%s told of gaps: %+v", n.name, n.stats(t))
		}
	}
}

// TestStoppedNode (F26): the process of one of three nodes stops for a while and goes
// on, with or without others having given it up. Nothing comes twice or out of order,
// what it missed is told of and counted, and the two others miss nothing of each other.
func TestStoppedNode(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		_, list := startNodes(t, kind, func(o *nodeOptions) { o.Probe = waittest.Sized(300*time.Millisecond, 0) }, "a", "b", "c")
		a := openAccount(t, "room:all", 5*time.Millisecond, waittest.Sized(2, 20), list...)
		a.begin(t)
		for _, span := range waittest.Sized([]time.Duration{100 * time.Millisecond, 3 * time.Second},
			[]time.Duration{time.Second, 5 * time.Second, 20 * time.Second, 45 * time.Second}) {
			a.progress(t, "all hear each other", 20)
			list[2].suspend(t)
			lasts(span)
			list[2].resume(t)
			a.progress(t, "all hear each other again", 20)
		}
		a.end(t)
		missed := a.settle(t)
		if waittest.Full { // with its probe even a busy machine does not lose what is there
			a.intact(t, "a", "b")
		}
		t.Logf("%d messages missed", missed)
		for _, n := range list {
			if h := n.stats(t).PubSub; h.Conflicts != 0 || h.Garbage != 0 {
				t.Errorf("%s: %+v", n.name, h)
			}
		}
	})
}
