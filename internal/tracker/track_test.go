package tracker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestTrack(t *testing.T) {
	c, states := newCluster(t, Options{Entries: 4}, "a")
	s := states[0]
	c.track(s, "x", "y")
	c.diff(s, "+x +y")
	if _, err := s.track(room, 1, "x", nil); !errors.Is(err, ErrTracked) {
		t.Errorf("twice: %v", err)
	}
	if d, err := s.track(room, 2, "x", []byte("2")); err != nil || describe(d) != "+x" {
		t.Errorf("another owner: %v, %v", describe(d), err)
	}
	if d, err := s.track("room:2", 1, "x", []byte("3")); err != nil || describe(d) != "+x" {
		t.Errorf("another topic: %v, %v", describe(d), err)
	}
	if _, err := s.track(room, 3, "x", nil); !errors.Is(err, ErrFull) {
		t.Errorf("too many: %v", err)
	}
	c.list(s, "x=1 x=2 y=1")
	if n := len(s.get(room, "x")); n != 2 || s.count(room) != 3 {
		t.Errorf("%d under x, %d in all", n, s.count(room))
	}
	if s.list("none") != nil || s.get("none", "x") != nil || s.get(room, "none") != nil || s.count("none") != 0 || s.find("none", 1, "x") != nil {
		t.Error("there is something where nothing is")
	}
	for _, bad := range []struct{ topic, key, meta int }{{maxTopic + 1, 1, 1}, {1, maxKey + 1, 1}, {1, 1, MaxMeta + 1}} {
		topic, key, meta := strings.Repeat("t", bad.topic), strings.Repeat("k", bad.key), make([]byte, bad.meta)
		if _, err := s.track(topic, 1, key, meta); !errors.Is(err, ErrTooLarge) {
			t.Errorf("Track of %+v: %v", bad, err)
		}
		if _, err := s.update(topic, 1, key, meta); !errors.Is(err, ErrTooLarge) {
			t.Errorf("Update of %+v: %v", bad, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	c, states := newCluster(t, Options{}, "a")
	s := states[0]
	if _, err := s.update(room, 1, "x", nil); !errors.Is(err, ErrNotTracked) {
		t.Errorf("of nothing: %v", err)
	}
	c.track(s, "x")
	old := s.find(room, 1, "x")
	c.clear()
	c.update(s, "x", "2")
	d := c.diffs[s]
	c.diff(s, "+x -x")
	if d.Leaves[0] != old || d.Joins[0] != s.find(room, 1, "x") || d.Joins[0].PrevRef() != old.Ref() {
		t.Errorf("%v", d)
	}
	c.list(s, "x=2")
	if s.own.clock != 2 {
		t.Errorf("clock %d: an update is one change", s.own.clock)
	}
}

func TestUntrack(t *testing.T) {
	c, states := newCluster(t, Options{}, "a")
	s := states[0]
	c.track(s, "x", "y", "z")
	if _, err := s.track(room, 2, "x", nil); err != nil {
		t.Fatal(err)
	}
	c.clear()
	if d := s.untrack(room, 1, "none"); !d.Empty() || s.own.clock != 4 {
		t.Errorf("of nothing: %v", describe(d))
	}
	c.untrack(s, "y")
	c.diff(s, "-y")
	if d := s.untrackOwner(1); describe(d) != "-x -z" {
		t.Errorf("owner 1: %v", describe(d))
	}
	if d := s.untrackOwner(1); !d.Empty() {
		t.Errorf("again: %v", describe(d))
	}
	c.list(s, "x=")
	s.untrackOwner(2)
	if len(s.topics) != 0 || len(s.owners) != 0 || s.own.live != 0 || s.index.n != 0 {
		t.Errorf("something is left: %+v", s.counters())
	}
}

// An owner with many keys and a key with many owners are found in constant time. Otherwise this test
// would take minutes.
func TestManyOfOne(t *testing.T) {
	s, err := newState(replica{"a", 1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 10_000
	for i := range n {
		if _, err := s.track(room, 1, fmt.Sprint(i), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.track(room, Owner(i), "everyone", nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.get(room, "everyone")); got != n {
		t.Errorf("%d under one key, want %d", got, n)
	}
	for i := range n {
		s.untrackOwner(Owner(i))
	}
	if st := s.counters(); st.Entries != 0 || st.Topics != 0 {
		t.Errorf("%+v", st)
	}
	// Of many entries only the memory of the latest removals is left.
	if len(s.own.slots) > 32 || len(s.index.buckets) > minBuckets || len(s.own.removals) != 2*n {
		t.Errorf("%d slots, %d buckets, %d removals", len(s.own.slots), len(s.index.buckets), len(s.own.removals))
	}
	s.sent = s.own.clock
	s.own.trim(s.opts.History, s.sent)
	if len(s.own.removals) != s.opts.History {
		t.Errorf("%d removals are kept, want %d", len(s.own.removals), s.opts.History)
	}
}

func TestTopicShrinks(t *testing.T) {
	c, states := newCluster(t, Options{}, "a")
	s := states[0]
	c.track(s, numbered(1000)...)
	for _, key := range numbered(999) {
		c.untrack(s, key)
	}
	if n := cap(s.topics[room].visible); n > 64 {
		t.Errorf("room for %d entries is kept for one", n)
	}
	c.list(s, "k999=1")
}
