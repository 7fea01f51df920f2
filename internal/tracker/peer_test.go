package tracker

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestDownAndUp(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b", "c")
	a, b := s[0], s[1]
	c.track(a, "x", "y", "z")
	c.track(b, "own")
	c.periods(3)
	a.wake()
	c.periods(1)
	c.clear()
	away := true
	c.drop = func(to *state, m *message) bool { return away && (m.from == a.self() || to == a) }
	c.periods(20)
	c.diff(b, "")
	c.periods(1) // 31.5 s
	c.diff(b, "-x -y -z")
	c.list(b, "own=1")
	c.list(a, "x=1 y=1 z=1")
	if r := b.nodes()[0]; r.Up || r.Entries != 3 || r.Name != "a" || b.peers["a"].id != a.self() || b.peers["a"].heard == 0 {
		t.Errorf("%+v", r)
	}
	if st := b.counters(); st.Entries != 4 || st.Topics != 1 {
		t.Errorf("what is hidden is not kept: %+v", st)
	}
	// The changes of that time arrive with the return, in one diff.
	c.untrack(a, "y")
	c.update(a, "z", "2")
	away = false
	c.periods(3)
	c.diff(b, "+x +z")
	c.list(b, "own=1 x=1 z=2")
	compare(t, s...)
}

func TestPermdown(t *testing.T) {
	c, s := newCluster(t, Options{PermdownPeriod: time.Minute}, "a", "b")
	a, b := s[0], s[1]
	c.track(a, "x", "y")
	c.periods(3)
	away := true
	c.drop = func(to *state, m *message) bool { return away }
	c.periods(41)
	if len(b.nodes()) != 0 || b.counters().Entries != 0 || b.counters().Topics != 0 {
		t.Errorf("%v, %+v", b.nodes(), b.counters())
	}
	// It still runs and comes back, and is accepted.
	away = false
	c.clear()
	c.periods(3)
	c.diff(b, "+x +y")
	if a.newer != 0 {
		t.Error("a is refused")
	}
	// An earlier incarnation is refused.
	if !b.refused(replica{"a", 0}) || b.refused(a.self()) {
		t.Error("the wrong one is refused")
	}
}

func TestRestart(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b", "c")
	a, b := s[0], s[1]
	c.track(a, "x", "y")
	c.periods(3)
	c.stop(a)
	old := a.beatNow()
	again := c.start("a", 2)
	c.track(again, "y")
	c.clear()
	c.periods(1)
	c.diff(b, "+y -x -y")
	c.periods(2)
	compare(t, again, b, s[2])
	// Messages of the old one may still arrive, and a third replica may list it.
	c.clear()
	if d := c.receive(b, old); !d.Empty() {
		t.Errorf("an old heartbeat: %s", describe(d))
	}
	if got := c.took(); got != "refusal" {
		t.Errorf("an old heartbeat is answered by %q", got)
	}
	hearsay := old.deltas[0]
	for _, m := range []*message{
		{kind: answer, from: s[2].self(), to: b.self(), deltas: []delta{hearsay}},
		{kind: goodbye, from: a.self()},
		{kind: request, from: a.self(), to: b.self()},
	} {
		if d := c.receive(b, m); !d.Empty() {
			t.Errorf("%v: %s", m, describe(d))
		}
	}
	if b.counters().Refused != 3 {
		t.Errorf("%+v", b.counters())
	}
	compare(t, again, b, s[2])
}

// A node whose clock was set back starts with an incarnation that others refuse. It takes a higher one.
func TestSuperseded(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	b := s[1]
	c.periods(2)
	c.stop(s[0])
	again := c.start("a", 7)
	c.track(again, "old")
	c.periods(2)
	c.stop(again)
	third := c.start("a", 5)
	if third.newer != 0 {
		t.Error("superseded before anybody was met")
	}
	c.track(third, "x", "y", "z")
	c.untrack(third, "y")
	c.update(third, "z", "2")
	was := third.find(room, 1, "z")
	c.send(third, third.beatNow()) // which is refused
	if n := third.newer; n != 7 {
		t.Errorf("the known incarnation is %d, want 7", n)
	}
	c.clear()
	c.periods(1)
	c.diff(third, "+x +z -x -z")
	c.diff(b, "+x +z -old")
	if n := third.newer; n != 0 || third.self().incarnation <= 7 {
		t.Errorf("%d is known still, of %v", n, third.self())
	}
	z := third.find(room, 1, "z")
	if z == nil || z == was || z.Ref() == was.Ref() || z.PrevRef() != "" || z.origin.id != third.self() {
		t.Errorf("%+v has become %+v", was, z)
	}
	// It works like any other.
	c.update(third, "z", "3")
	c.untrack(third, "x")
	c.track(third, "new")
	c.periods(2)
	c.list(b, "new=1 z=3")
	compare(t, third, b)
	c.keep(third, third.untrackOwner(1))
	c.periods(2)
	c.list(b, "")
}

// Two running nodes with one name are listed in turn, but do not change in every period. If one stops,
// the other is listed again.
func TestTwoOfOneName(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	older, b := s[0], s[1]
	c.track(older, "x")
	c.periods(3)
	younger := c.start("a", 2)
	c.track(younger, "y")
	changes := 0
	was := younger.self()
	for range 200 { // 300 s
		c.clear()
		c.periods(1)
		if len(c.diffs[b].Joins) > 0 {
			changes++
		}
	}
	if changes < 4 || changes > 25 || younger.self() == was {
		t.Errorf("b saw %d changes", changes)
	}
	c.send(younger, younger.goodbye())
	c.stop(younger)
	c.periods(22) // a DownPeriod and a little
	c.list(b, "x=1")
	compare(t, older, b)
}

// An incarnation cannot be raised above the highest number.
func TestHighestIncarnation(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.start("a", math.MaxUint64)
	c.track(s[0], "x")
	c.periods(4)
	if n := s[0].newer; n != math.MaxUint64 || s[0].self().incarnation != 1 {
		t.Errorf("%d, %v", n, s[0].self())
	}
	c.list(s[1], "")
}

// A goodbye removes the name, although no message of its last incarnation came before.
func TestGoodbyeUnheard(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.track(s[0], "x")
	c.periods(2)
	c.clear()
	c.receive(s[1], &message{kind: goodbye, from: replica{"a", 2}})
	c.diff(s[1], "-x")
}

func TestGoodbye(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	a, b := s[0], s[1]
	c.track(a, "x")
	c.periods(2)
	c.clear()
	old := a.beatNow()
	c.send(a, a.goodbye())
	c.diff(b, "-x")
	if d := c.receive(b, old); !d.Empty() || len(b.nodes()) != 0 {
		t.Errorf("a heartbeat after goodbye: %s", describe(d))
	}
	if _, err := a.track(room, 1, "y", nil); err != ErrClosed {
		t.Errorf("Track: %v", err)
	}
	if _, err := a.update(room, 1, "x", nil); err != ErrClosed {
		t.Errorf("Update: %v", err)
	}
	if d, out := a.tick(c.now + time.Hour); !d.Empty() || out != nil {
		t.Error("Tick goes on")
	}
	if d, out := a.receive(c.now, b.beatNow()); !d.Empty() || out != nil {
		t.Error("Receive goes on")
	}
	c.stop(a)
	again := c.start("a", 2)
	c.track(again, "z")
	c.periods(1)
	c.list(b, "z=1")
}

// A replica is not known only because others mention it.
func TestHearsay(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b", "c")
	a, b, third := s[0], s[1], s[2]
	c.drop = func(to *state, m *message) bool { return to == b && m.from == a.self() }
	c.track(a, "x")
	c.periods(3)
	c.list(third, "x=1")
	c.list(b, "")
	whole := third.peers["a"].cut(0, 0, 1<<20, sound)
	if d := c.receive(b, &message{kind: answer, from: third.self(), to: b.self(), deltas: []delta{whole}}); !d.Empty() {
		t.Errorf("%s", describe(d))
	}
	// Once a was heard itself, b may ask others about it: a does not receive the questions of b.
	c.drop = func(to *state, m *message) bool {
		return m.kind != heartbeat && (to == a && m.from == b.self() || to == b && m.from == a.self())
	}
	c.track(third, "y") // so that it has something to say
	c.periods(8)
	c.list(b, "x=1 y=1")
}

func TestBounds(t *testing.T) {
	c, s := newCluster(t, Options{replicas: 3}, "a")
	a := s[0]
	beat := func(name string, incarnation uint64) *message {
		id := replica{name, incarnation}
		return &message{kind: heartbeat, from: id, deltas: []delta{{replica: id}}}
	}
	for i := range 10 {
		c.receive(a, beat(fmt.Sprint("n", i), 1))
	}
	if len(a.nodes()) != 3 || a.counters().Refused != 7 {
		t.Errorf("%d replicas, %+v", len(a.nodes()), a.counters())
	}
	c.receive(a, beat("n1", 2)) // in the place of the one before
	if r := a.order[1].id; r.incarnation != 2 {
		t.Errorf("%+v", r)
	}
	for i := range 3 * maxReplicas {
		c.now++
		c.receive(a, &message{kind: goodbye, from: replica{fmt.Sprint("g", i), 1}})
	}
	if len(a.gone) != 2*maxReplicas || !a.refused(replica{"g2999", 1}) || a.refused(replica{"g0", 1}) {
		t.Errorf("%d graves", len(a.gone))
	}
	c.receive(a, &message{kind: goodbye, from: replica{"g2999", 3}})
	if !a.refused(replica{"g2999", 3}) || a.refused(replica{"g2999", 4}) {
		t.Error("a second goodbye of a name does not count")
	}
	// If no replica remembers it, no record of it is kept.
	c.now += time.Hour
	c.periods(1)
	if len(a.gone) != 3 {
		t.Errorf("%d graves are left, want those of three who are silent", len(a.gone))
	}
}
