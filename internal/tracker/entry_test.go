package tracker

import (
	"encoding/base64"
	"fmt"
	"math"
	"sync"
	"testing"
)

func TestRef(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []replica{{"a", 1}, {"a", 2}, {"b", 1}, {"b", 2}, {"a", math.MaxUint64}} {
		o := newOrigin(id)
		for _, c := range []struct {
			clock uint64
			chars int
		}{{1, 16}, {2, 16}, {math.MaxUint32, 16}, {math.MaxUint32 + 1, 22}, {math.MaxUint64, 22}} {
			ref := o.ref(c.clock)
			if _, err := base64.RawURLEncoding.DecodeString(ref); err != nil || len(ref) != c.chars || seen[ref] {
				t.Errorf("%v at %d: %q", id, c.clock, ref)
			}
			seen[ref] = true
		}
		if newOrigin(id).ref(1) != o.ref(1) {
			t.Errorf("%v has two refs", id)
		}
	}
}

func TestEntry(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	first, _ := s[0].track(room, 7, "ada", []byte(`{"x":1}`))
	second, err := s[0].update(room, 7, "ada", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.periods(2)
	for i, e := range []*Entry{first.Joins[0], second.Joins[0], s[1].list(room)[0]} {
		if e.Topic() != room || e.Key() != "ada" || e.owner != 7 || e.origin.id != s[0].self() {
			t.Errorf("%d: %q %q %d %v", i, e.Topic(), e.Key(), e.owner, e.origin.id)
		}
	}
	old, now, there := first.Joins[0], second.Joins[0], s[1].list(room)[0]
	if old.Meta() != `{"x":1}` || old.PrevRef() != "" {
		t.Errorf("first: %q, %q", old.Meta(), old.PrevRef())
	}
	if now.Meta() != "" || now.PrevRef() != old.Ref() || now.Ref() == old.Ref() {
		t.Errorf("second: %q, %q after %q", now.Meta(), now.PrevRef(), old.Ref())
	}
	if there.Ref() != now.Ref() || there.PrevRef() != now.PrevRef() {
		t.Errorf("on the other node: %q after %q", there.Ref(), there.PrevRef())
	}
}

// Others read an entry while the state changes it. The race detector finds faults.
func TestEntryIsReadElsewhere(t *testing.T) {
	c, s := newCluster(t, Options{}, "a", "b")
	c.track(s[0], numbered(100)...)
	c.periods(2)
	var wg sync.WaitGroup
	for _, list := range [][]*Entry{s[0].list(room), s[1].list(room)} {
		wg.Go(func() {
			for _, e := range list {
				_ = fmt.Sprint(e.Topic(), e.Key(), e.Meta(), e.owner, e.origin.id, e.Ref(), e.PrevRef())
			}
		})
	}
	m := s[0].beatNow()
	wg.Go(func() { m.append(nil) })
	for i, key := range numbered(100) {
		if i%2 == 0 {
			c.update(s[0], key, "2")
		}
	}
	s[0].untrackOwner(1)
	c.periods(2)
	wg.Wait()
}

// beatNow returns a heartbeat with all entries.
func (s *state) beatNow() *message {
	m := &message{kind: heartbeat, from: s.own.id, marks: s.marks()}
	m.deltas = []delta{s.own.cut(0, 0, s.room(m), sound)}
	return m
}
