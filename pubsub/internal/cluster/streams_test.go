package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestStreams(t *testing.T) {
	var s streams
	next := func(channel string) (epoch, seq uint64) {
		st := s.next(channel)
		return st.epoch, st.seq
	}
	for want := uint64(1); want <= 3; want++ {
		if epoch, seq := next("a"); epoch != 1 || seq != want {
			t.Fatalf("epoch %d, number %d; want 1, %d", epoch, seq, want)
		}
	}
	if epoch, seq := next("b"); epoch != 2 || seq != 1 {
		t.Fatalf("another channel: epoch %d, number %d", epoch, seq)
	}
	// One that is used is remembered, whatever else comes; one that is not is forgotten
	// and begins a new epoch.
	for i := range 3 * maxStreams {
		s.next(fmt.Sprint(i))
		if i%1000 == 0 {
			s.next("a")
		}
	}
	if epoch, _ := next("a"); epoch != 1 {
		t.Errorf("a channel in use was forgotten: epoch %d", epoch)
	}
	if epoch, seq := next("b"); epoch <= 2 || seq != 1 {
		t.Errorf("epoch %d, number %d; want a new epoch", epoch, seq)
	}
	if n := len(s.young) + len(s.old); n > 2*maxStreams {
		t.Errorf("%d streams are remembered", n)
	}
}

func TestSources(t *testing.T) {
	var s sources
	peers := map[uint64]*peer{}
	take := func(boot, epoch, seq uint64) verdict {
		e := &envelope{boot: boot, serial: 100, epoch: epoch, seq: seq}
		v := s.take(e, 0)
		if v.unknown {
			if peers[boot] == nil {
				peers[boot] = &peer{boot: boot}
			}
			v = s.begin(peers[boot], e, 10)
		}
		return v
	}
	for i, step := range []struct {
		boot, epoch, seq uint64
		want             verdict
	}{
		{1, 5, 7, verdict{}}, // the first one is where it begins
		{1, 5, 8, verdict{}},
		{1, 5, 8, verdict{stale: true}}, // twice
		{1, 5, 6, verdict{stale: true}}, // too late
		{1, 5, 11, verdict{missed: 2}},
		{1, 4, 99, verdict{stale: true}}, // of a numbering that is over
		{2, 1, 1, verdict{}},             // another publisher
		{1, 6, 1, verdict{}},             // a new numbering
		{1, 5, 12, verdict{stale: true}},
		{2, 1, 2, verdict{}},
		{2, 3, 4, verdict{missed: 3}}, // the first ones of a new numbering did not come
	} {
		if got := take(step.boot, step.epoch, step.seq); got != step.want {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
	}
	for boot := range uint64(10 * maxSources) {
		take(boot+10, 1, 1)
		take(1, 7, boot+1)
	}
	if len(s.list) != maxSources {
		t.Errorf("%d sources are kept, want %d", len(s.list), maxSources)
	}
	if v := take(1, 7, 1); !v.stale {
		t.Error("a publisher that is heard all the time was forgotten")
	}
}

// TestSourcesFloor takes nothing that was published before interest was taken, and nothing
// of a node that was given up before it came.
func TestSourcesFloor(t *testing.T) {
	var s sources
	k := &peer{boot: 1}
	if v := s.begin(k, &envelope{boot: 1, serial: 10, epoch: 1, seq: 1}, 10); !v.stale {
		t.Errorf("an old message: %+v", v)
	}
	if v := s.begin(k, &envelope{boot: 1, serial: 11, epoch: 1, seq: 2}, 10); v != (verdict{}) || k.high.Load() != 11 {
		t.Errorf("a new message: %+v, high %d", v, k.high.Load())
	}
	k.gone.Store(3)
	if v := s.take(&envelope{boot: 1, serial: 12, epoch: 1, seq: 3}, 2); v != (verdict{}) {
		t.Errorf("a message that came before its node was given up: %+v", v)
	}
	if v := s.take(&envelope{boot: 1, serial: 13, epoch: 1, seq: 4}, 3); !v.unknown {
		t.Errorf("a message that came after: %+v", v)
	}
	back := &peer{boot: 1}
	if v := s.begin(back, &envelope{boot: 1, serial: 12, epoch: 1, seq: 3}, 0); !v.stale {
		t.Errorf("a message that came already, after its node is back: %+v", v)
	}
	if v := s.begin(back, &envelope{boot: 1, serial: 14, epoch: 1, seq: 5}, 0); v.missed != 1 {
		t.Errorf("a gap after it is back: %+v", v)
	}
}

// TestSourcesModel sends at random, loses, repeats and reorders, and compares with a plain
// rule: numbers only grow, and what is passed over is missed.
func TestSourcesModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s sources
	type at struct{ last, missed, taken uint64 }
	model := map[uint64]*at{}
	var missed, taken uint64
	for range 50_000 {
		boot := uint64(r.IntN(20))
		m := model[boot]
		if m == nil {
			m = &at{}
			model[boot] = m
		}
		seq := m.last + uint64(r.IntN(4))
		e := &envelope{boot: boot, serial: 1, epoch: 1, seq: seq + 1}
		v := s.take(e, 0)
		if v.unknown {
			v = s.begin(&peer{boot: boot}, e, 0)
		}
		switch {
		case m.taken > 0 && seq+1 <= m.last:
			if !v.stale {
				t.Fatalf("publisher %d: %d after %d is taken", boot, seq+1, m.last)
			}
		default:
			if v.stale {
				t.Fatalf("publisher %d: %d after %d is refused", boot, seq+1, m.last)
			}
			if m.taken > 0 {
				m.missed += seq + 1 - m.last - 1
			}
			m.last = seq + 1
			m.taken++
			taken++
			missed += v.missed
		}
	}
	var want uint64
	for _, m := range model {
		want += m.missed
	}
	if missed != want || taken == 0 {
		t.Errorf("missed %d, want %d, of %d taken", missed, want, taken)
	}
}
