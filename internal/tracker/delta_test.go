package tracker

import (
	"fmt"
	"slices"
	"testing"
)

func TestDeltasArrive(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.periods(2)
	c.track(s[0], "x", "y")
	c.periods(1)
	c.diff(s[1], "+x +y")
	c.update(s[0], "x", "2")
	c.untrack(s[0], "y")
	c.track(s[0], "z")
	c.untrack(s[0], "z") // came and went: nobody else needs to know
	c.periods(1)
	d := c.diffs[s[1]]
	c.diff(s[1], "+x -x -y")
	if d.Joins[0].PrevRef() == "" || d.Joins[0].PrevRef() != d.Leaves[0].Ref() && d.Joins[0].PrevRef() != d.Leaves[1].Ref() {
		t.Errorf("an update arrived as %v", describe(d))
	}
	c.list(s[1], "x=2")
}

// One heartbeat is lost: those after it wait until its changes have been asked for.
func TestLostDelta(t *testing.T) {
	for name, change := range map[string]func(c *cluster, s *state){
		"track":   func(c *cluster, s *state) { c.track(s, "z") },
		"update":  func(c *cluster, s *state) { c.update(s, "x", "2") },
		"untrack": func(c *cluster, s *state) { c.untrack(s, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newCluster(t, Options{}, "a", "b")
			c.track(s[0], "x")
			c.periods(2)
			c.drop = func(*state, *message) bool { return true }
			change(c, s[0])
			c.periods(1)
			c.drop = nil
			c.clear()
			c.track(s[0], "later")
			c.periods(1)
			if got := c.took(); got != "heartbeat request answer" && got != "heartbeat request answer heartbeat" {
				t.Errorf("sent: %s", got)
			}
			if s[1].counters().Gaps != 1 {
				t.Errorf("%+v", s[1].counters())
			}
			compare(t, s[0], s[1])
		})
	}
}

func compare(t *testing.T, states ...*state) {
	t.Helper()
	var want []string
	for i, s := range states {
		var got []string
		for _, e := range s.list(room) {
			got = append(got, e.Ref()+e.Key()+e.Meta())
		}
		slices.Sort(got)
		if i > 0 && !slices.Equal(got, want) {
			t.Errorf("%s lists %d entries, %s %d", s.self().name, len(got), states[0].self().name, len(want))
		}
		want = got
	}
}

// Heartbeats arrive twice, and in the wrong order.
func TestDoubleAndLate(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	a, b := s[0], s[1]
	c.periods(2)
	c.drop = func(*state, *message) bool { return true }
	c.took()
	c.track(a, "x", "y")
	c.periods(1)
	c.untrack(a, "y")
	c.periods(1)
	beats := slices.DeleteFunc(c.sent, func(m *message) bool { return m.from != a.self() })
	if len(beats) != 2 {
		t.Fatalf("%d heartbeats", len(beats))
	}
	c.clear()
	for i, want := range []struct {
		m    *message
		diff string
	}{{beats[1], ""}, {beats[0], "+x +y"}, {beats[0], ""}, {beats[1], "-y"}, {beats[1], ""}, {beats[0], ""}} {
		if got := describe(c.receive(b, want.m)); got != want.diff {
			t.Errorf("message %d: %q, want %q", i, got, want.diff)
		}
	}
	c.list(b, "x=1")
}

// parted returns two replicas. b has missed more removals than a remembers.
func parted(t *testing.T) (c *cluster, a, b *state) {
	c, s := newCluster(t, Options{History: 4}, "a", "b")
	a, b = s[0], s[1]
	c.track(a, numbered(20)...)
	c.periods(2)
	c.drop = func(*state, *message) bool { return true }
	for _, key := range numbered(10) {
		c.untrack(a, key)
		c.periods(1)
	}
	c.track(a, "new")
	c.periods(1)
	c.drop = nil
	c.clear()
	return c, a, b
}

func TestFullState(t *testing.T) {
	c, a, b := parted(t)
	if a.own.start == 0 || len(a.own.removals) != 4 {
		t.Fatalf("%d removals are remembered", len(a.own.removals))
	}
	c.periods(1)
	if n := len(c.diffs[b].Leaves); n != 10 {
		t.Errorf("%d leaves, want 10", n)
	}
	compare(t, a, b)
	if b.peers["a"].start != a.own.clock {
		t.Errorf("b remembers removals since %d, a has made %d changes", b.peers["a"].start, a.own.clock)
	}
}

// A full state in parts. Each part is lost once, while entries change.
func TestFullStateInParts(t *testing.T) {
	c, a, b := parted(t)
	a.opts.MessageBytes = 1 // one entry in each part
	n := 0
	c.drop = func(_ *state, m *message) bool {
		if m.kind == answer {
			n++
			return n%2 == 0
		}
		return false
	}
	for i := range 60 {
		c.periods(1)
		if i == 5 {
			c.untrack(a, "k012")
			c.update(a, "k015", "2")
			c.track(a, "more")
		}
		for _, e := range b.list(room) {
			if old := a.find(room, 1, e.Key()); old == nil && i > 50 {
				t.Fatalf("period %d: %s is still there", i, e.Key())
			}
		}
	}
	if n < 10 {
		t.Errorf("%d answers", n)
	}
	if p := b.peers["a"]; p.clock != a.own.clock || p.behind() {
		t.Errorf("b is at %d of %d", p.clock, a.own.clock)
	}
	compare(t, a, b)
}

// The parts of a full state that arrives late, or after another one, change nothing.
func TestLateParts(t *testing.T) {
	c, a, b := parted(t)
	a.opts.MessageBytes = 1
	b.opts.samplePeriods = 1000 // b does not ask again
	var late []*message
	c.drop = func(_ *state, m *message) bool {
		if m.kind == answer {
			late = append(late, m)
		}
		return m.kind == answer && len(late) == 4
	}
	c.periods(1)
	if p := b.peers["a"]; p.clock >= p.asOf {
		t.Fatalf("b is at %d of %d: not in the middle", p.clock, p.asOf)
	}
	before := *b.peers["a"]
	for _, m := range late[:3] {
		if d := c.receive(b, m); !d.Empty() {
			t.Errorf("a part again: %s", describe(d))
		}
	}
	if p := b.peers["a"]; p.clock != before.clock || p.asOf != before.asOf {
		t.Errorf("b went from %d to %d", before.clock, p.clock)
	}
	// A replica that has received only a part of a full state does not answer.
	other := c.start("c", 1)
	c.drop = nil
	b.opts.samplePeriods = 1
	if out := b.answer(&message{kind: request, from: other.self(), to: b.self(), marks: []mark{{replica: a.self()}}}); out != nil {
		t.Errorf("b answers %v", out)
	}
	c.periods(30)
	for _, m := range late {
		if d := c.receive(b, m); !d.Empty() {
			t.Errorf("a late part: %s", describe(d))
		}
	}
	compare(t, a, b, other)
}

// A replica ignores messages of others about its own entries.
func TestOwnEntriesStay(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.track(s[0], "x")
	c.periods(2)
	lie := delta{replica: s[0].self(), hi: 100, asOf: 100, end: 100, values: []value{{clock: 50, topic: room, data: "y", keyLen: 1}}}
	for _, m := range []*message{
		{kind: answer, from: s[1].self(), to: s[0].self(), deltas: []delta{lie}},
		{kind: heartbeat, from: s[0].self(), deltas: []delta{lie}},
		{kind: goodbye, from: s[0].self()},
	} {
		if d := c.receive(s[0], m); !d.Empty() {
			t.Errorf("%v: %s", m, describe(d))
		}
	}
	c.list(s[0], "x=1")
	// Nor are they sent to the replica that they belong to.
	if out := s[1].answer(&message{from: s[0].self(), marks: []mark{{replica: s[0].self()}}}); out != nil {
		t.Errorf("b answers %v", out)
	}
}

func TestMergeRules(t *testing.T) {
	at := func(clock, asOf uint64) *state {
		s, err := newState(replica{"a", 1}, Options{Entries: 10})
		if err != nil {
			t.Fatal(err)
		}
		p := s.meet(replica{"b", 1}, &Diff{})
		s.raise(p, &Diff{})
		d := delta{hi: clock, base: asOf, asOf: asOf, end: asOf}
		for i := range min(clock, 5) {
			d.values = append(d.values, value{clock: i + 1, topic: room, data: fmt.Sprint("k", i+1), keyLen: 2})
		}
		if v := s.merge(p, &d, &Diff{}); v != merged {
			t.Fatalf("verdict %d", v)
		}
		return s
	}
	news := func(clock uint64) []value { return []value{{clock: clock, topic: room, data: "n", keyLen: 1}} }
	for _, c := range []struct {
		name        string
		clock, asOf uint64 // where the receiver stands; it has k1 to k5
		d           delta
		want        verdict
		diff        string
	}{
		{"next", 5, 5, delta{lo: 5, base: 5, hi: 6, asOf: 6, values: news(6)}, merged, "+n"},
		{"overlap", 5, 5, delta{lo: 4, base: 4, hi: 6, asOf: 6, removals: []removal{{6, 2}}, values: []value{{clock: 5, topic: room, data: "k5", keyLen: 2}}}, merged, "-k2"},
		{"not listed", 5, 5, delta{lo: 3, base: 3, hi: 6, asOf: 6, values: news(6)}, merged, "+n -k4 -k5"},
		{"old", 5, 5, delta{lo: 3, base: 3, hi: 4, asOf: 4}, stale, ""},
		{"known", 5, 5, delta{lo: 3, base: 3, hi: 5, asOf: 5}, stale, ""},
		{"ahead", 5, 5, delta{lo: 6, base: 6, hi: 7, asOf: 7, values: news(7)}, gap, ""},
		{"removals ahead", 5, 5, delta{lo: 5, base: 6, hi: 7, asOf: 7, values: news(7)}, gap, ""},
		{"full", 5, 5, delta{base: 9, hi: 9, asOf: 9, values: news(9)}, merged, "+n -k1 -k2 -k3 -k4 -k5"},
		{"part of a full state", 5, 5, delta{base: 9, hi: 3, asOf: 9, values: []value{{clock: 2, topic: room, data: "k2", keyLen: 2}}}, merged, "-k1 -k3"},
		{"removed before and listed", 6, 6, delta{base: 9, hi: 9, asOf: 9, values: news(6)}, merged, "-k1 -k2 -k3 -k4 -k5"},
		{"same part again", 5, 9, delta{base: 9, hi: 3, asOf: 9}, stale, ""},
		{"next part", 5, 9, delta{lo: 5, base: 9, hi: 8, asOf: 10, removals: []removal{{10, 1}}, values: news(7)}, merged, "+n -k1"},
		{"next part of another", 5, 9, delta{lo: 5, base: 10, hi: 8, asOf: 10, values: news(7)}, gap, ""},
		{"backwards", 5, 5, delta{lo: 1, base: 5, hi: 3, asOf: 9}, stale, ""},
		{"news beside a part", 5, 9, delta{lo: 9, base: 9, hi: 10, asOf: 10, values: news(10)}, gap, ""},
		{"too many", 5, 5, delta{lo: 5, base: 5, hi: 11, asOf: 11, values: slices.Concat(news(6), news(7), news(8), news(9), news(10), news(11))}, tooMany, ""},
	} {
		s := at(c.clock, c.asOf)
		p := s.peers["b"]
		before := p.line
		var d Diff
		if v := s.merge(p, &c.d, &d); v != c.want || describe(d) != c.diff {
			t.Errorf("%s: verdict %d with %q, want %d with %q", c.name, v, describe(d), c.want, c.diff)
		}
		if c.want != merged && (p.clock != before.clock || p.asOf != before.asOf || p.live != before.live) {
			t.Errorf("%s: refused, and something has changed", c.name)
		}
		if c.want == merged && (p.clock != c.d.hi || p.asOf != c.d.asOf) {
			t.Errorf("%s: at %d as of %d", c.name, p.clock, p.asOf)
		}
	}
}
