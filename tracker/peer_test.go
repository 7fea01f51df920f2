package tracker

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestDownAndUp(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b", "c")
	a, b := s[0], s[1]
	c.track(a, "x", "y", "z")
	c.track(b, "own")
	c.periods(3)
	a.Wake()
	c.periods(1)
	c.clear()
	away := true
	c.drop = func(to *State, m *Message) bool { return away && (m.from == a.Self() || to == a) }
	c.periods(20)
	c.diff(b, "")
	c.periods(1) // 31.5 s
	c.diff(b, "-x -y -z")
	c.list(b, "own=1")
	c.list(a, "x=1 y=1 z=1")
	if r := b.Replicas()[0]; r.Up || r.Entries != 3 || r.Replica != a.Self() || r.Heard == 0 {
		t.Errorf("%+v", r)
	}
	if st := b.Stats(); st.Entries != 4 || st.Topics != 1 {
		t.Errorf("what is hidden is not kept: %+v", st)
	}
	// What has changed meanwhile comes with the return, in one.
	c.untrack(a, "y")
	c.update(a, "z", "2")
	away = false
	c.periods(3)
	c.diff(b, "+x +z")
	c.list(b, "own=1 x=1 z=2")
	compare(t, s...)
}

func TestPermdown(t *testing.T) {
	c, s := newCluster(t, Config{PermdownPeriod: time.Minute}, "a", "b")
	a, b := s[0], s[1]
	c.track(a, "x", "y")
	c.periods(3)
	away := true
	c.drop = func(to *State, m *Message) bool { return away }
	c.periods(41)
	if len(b.Replicas()) != 0 || b.Stats().Entries != 0 || b.Stats().Topics != 0 {
		t.Errorf("%v, %+v", b.Replicas(), b.Stats())
	}
	// It lives and comes back: nothing is held against it.
	away = false
	c.clear()
	c.periods(3)
	c.diff(b, "+x +y")
	if _, superseded := a.Superseded(); superseded {
		t.Error("a is refused")
	}
	// One before it would be a ghost.
	if !b.refused(Replica{"a", 0}) || b.refused(a.Self()) {
		t.Error("the wrong one is refused")
	}
}

func TestRestart(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b", "c")
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
	// The old one may have messages on their way yet, and a third replica may list it.
	c.clear()
	if d := c.receive(b, old); !d.Empty() {
		t.Errorf("an old heartbeat: %s", describe(d))
	}
	if got := c.took(); got != "refusal" {
		t.Errorf("an old heartbeat is answered by %q", got)
	}
	hearsay := old.deltas[0]
	for _, m := range []*Message{
		{kind: answer, from: s[2].Self(), to: b.Self(), deltas: []delta{hearsay}},
		{kind: goodbye, from: a.Self()},
		{kind: request, from: a.Self(), to: b.Self()},
	} {
		if d := c.receive(b, m); !d.Empty() {
			t.Errorf("%v: %s", m, describe(d))
		}
	}
	if b.Stats().Refused != 3 {
		t.Errorf("%+v", b.Stats())
	}
	compare(t, again, b, s[2])
}

// A clock that went back gives a node an incarnation that is refused. It takes a higher one.
func TestSuperseded(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b")
	b := s[1]
	c.periods(2)
	c.stop(s[0])
	again := c.start("a", 7)
	c.track(again, "old")
	c.periods(2)
	c.stop(again)
	third := c.start("a", 5)
	if _, ok := third.Superseded(); ok {
		t.Error("superseded before anybody was met")
	}
	c.track(third, "x", "y", "z")
	c.untrack(third, "y")
	c.update(third, "z", "2")
	was := third.Find(room, 1, "z")
	c.send(third, third.beatNow()) // which is refused
	if n, ok := third.Superseded(); !ok || n != 7 {
		t.Errorf("Superseded is %d, %v", n, ok)
	}
	c.clear()
	c.periods(1)
	c.diff(third, "+x +z -x -z")
	c.diff(b, "+x +z -old")
	if n, ok := third.Superseded(); ok || third.Self().Incarnation <= 7 {
		t.Errorf("Superseded is %d still, of %v", n, third.Self())
	}
	z := third.Find(room, 1, "z")
	if z == nil || z == was || z.Ref() == was.Ref() || z.PrevRef() != "" || z.Replica() != third.Self() {
		t.Errorf("%+v has become %+v", was, z)
	}
	// It goes on as any other.
	c.update(third, "z", "3")
	c.untrack(third, "x")
	c.track(third, "new")
	c.periods(2)
	c.list(b, "new=1 z=3")
	compare(t, third, b)
	c.keep(third, third.UntrackOwner(1))
	c.periods(2)
	c.list(b, "")
}

// Two living nodes of one name are seen in turn, and not in every period. The one that is left
// is seen again.
func TestTwoOfOneName(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b")
	older, b := s[0], s[1]
	c.track(older, "x")
	c.periods(3)
	younger := c.start("a", 2)
	c.track(younger, "y")
	changes := 0
	was := younger.Self()
	for range 200 { // 300 s
		c.clear()
		c.periods(1)
		if len(c.diffs[b].Joins) > 0 {
			changes++
		}
	}
	if changes < 4 || changes > 25 || younger.Self() == was {
		t.Errorf("b saw %d changes", changes)
	}
	c.send(younger, younger.Goodbye())
	c.stop(younger)
	c.periods(22) // a DownPeriod and a little
	c.list(b, "x=1")
	compare(t, older, b)
}

// No incarnation is above the highest.
func TestHighestIncarnation(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b")
	c.start("a", math.MaxUint64)
	c.track(s[0], "x")
	c.periods(4)
	if n, ok := s[0].Superseded(); !ok || n != math.MaxUint64 || s[0].Self().Incarnation != 1 {
		t.Errorf("%d, %v, %v", n, ok, s[0].Self())
	}
	c.list(s[1], "")
}

// A goodbye ends what is known of the name, though its last incarnation was not heard before.
func TestGoodbyeUnheard(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b")
	c.track(s[0], "x")
	c.periods(2)
	c.clear()
	c.receive(s[1], &Message{kind: goodbye, from: Replica{"a", 2}})
	c.diff(s[1], "-x")
}

func TestGoodbye(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b")
	a, b := s[0], s[1]
	c.track(a, "x")
	c.periods(2)
	c.clear()
	old := a.beatNow()
	c.send(a, a.Goodbye())
	c.diff(b, "-x")
	if d := c.receive(b, old); !d.Empty() || len(b.Replicas()) != 0 {
		t.Errorf("a heartbeat after goodbye: %s", describe(d))
	}
	if _, err := a.Track(room, 1, "y", nil); err != ErrStopped {
		t.Errorf("Track: %v", err)
	}
	if _, err := a.Update(room, 1, "x", nil); err != ErrStopped {
		t.Errorf("Update: %v", err)
	}
	if d, out := a.Tick(c.now + time.Hour); !d.Empty() || out != nil {
		t.Error("Tick goes on")
	}
	if d, out := a.Receive(c.now, b.beatNow()); !d.Empty() || out != nil {
		t.Error("Receive goes on")
	}
	c.stop(a)
	again := c.start("a", 2)
	c.track(again, "z")
	c.periods(1)
	c.list(b, "z=1")
}

// Nobody is known because others speak of it.
func TestHearsay(t *testing.T) {
	c, s := newCluster(t, Config{}, "a", "b", "c")
	a, b, third := s[0], s[1], s[2]
	c.drop = func(to *State, m *Message) bool { return to == b && m.from == a.Self() }
	c.track(a, "x")
	c.periods(3)
	c.list(third, "x=1")
	c.list(b, "")
	whole := third.peers["a"].cut(0, 0, 1<<20, sound)
	if d := c.receive(b, &Message{kind: answer, from: third.Self(), to: b.Self(), deltas: []delta{whole}}); !d.Empty() {
		t.Errorf("%s", describe(d))
	}
	// Heard itself, it may well be asked for elsewhere: it does not hear b.
	c.drop = func(to *State, m *Message) bool {
		return m.kind != heartbeat && (to == a && m.from == b.Self() || to == b && m.from == a.Self())
	}
	c.track(third, "y") // so that it has something to say
	c.periods(8)
	c.list(b, "x=1 y=1")
}

func TestBounds(t *testing.T) {
	c, s := newCluster(t, Config{Replicas: 3}, "a")
	a := s[0]
	beat := func(name string, incarnation uint64) *Message {
		id := Replica{name, incarnation}
		return &Message{kind: heartbeat, from: id, deltas: []delta{{replica: id}}}
	}
	for i := range 10 {
		c.receive(a, beat(fmt.Sprint("n", i), 1))
	}
	if len(a.Replicas()) != 3 || a.Stats().Refused != 7 {
		t.Errorf("%d replicas, %+v", len(a.Replicas()), a.Stats())
	}
	c.receive(a, beat("n1", 2)) // in the place of the one before
	if r := a.Replicas()[1]; r.Incarnation != 2 {
		t.Errorf("%+v", r)
	}
	for i := range 3 * MaxReplicas {
		c.now++
		c.receive(a, &Message{kind: goodbye, from: Replica{fmt.Sprint("g", i), 1}})
	}
	if len(a.gone) != 2*MaxReplicas || !a.refused(Replica{"g2999", 1}) || a.refused(Replica{"g0", 1}) {
		t.Errorf("%d graves", len(a.gone))
	}
	c.receive(a, &Message{kind: goodbye, from: Replica{"g2999", 3}})
	if !a.refused(Replica{"g2999", 3}) || a.refused(Replica{"g2999", 4}) {
		t.Error("a second goodbye of a name does not count")
	}
	// What nobody remembers needs no grave.
	c.now += time.Hour
	c.periods(1)
	if len(a.gone) != 3 {
		t.Errorf("%d graves are left, want those of three who are silent", len(a.gone))
	}
}
