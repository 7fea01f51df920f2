package tracker

import (
	"reflect"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		f.Add(m.append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			return
		}
		out := m.append(nil)
		if len(out) > len(data) {
			t.Fatalf("%d bytes became %d", len(data), len(out))
		}
		again, err := decode(out)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%v reads back as %v, %v", m, again, err)
		}
	})
}

// FuzzReceive gives two arbitrary messages to a replica, whose state must stay consistent.
func FuzzReceive(f *testing.F) {
	all := samples()
	for _, m := range all {
		f.Add(m.append(nil), all[0].append(nil))
		f.Add(all[0].append(nil), m.append(nil))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		c, s := newCluster(t, Options{}, "b", "a@host", "c")
		n := &node{name: "b", state: s[0], fold: map[tag]*Entry{}, own: map[place]string{}, newest: map[string]uint64{}, parted: map[replica]bool{}}
		w := &world{nodes: []*node{n}}
		step := func(d Diff, out []*message) {
			w.apply(n, d)
			w.checkIndexes(n)
			if w.err != nil {
				t.Fatal(w.err)
			}
			for _, m := range out {
				recode(t, m)
			}
		}
		c.track(s[0], "x")
		c.track(s[1], "y")
		c.periods(2)
		for _, e := range s[0].list(room) {
			n.fold[tag{e.origin.fingerprint, e.clock}] = e
		}
		for _, data := range [][]byte{one, two} {
			m, err := decode(data)
			if err != nil {
				return
			}
			step(s[0].receive(c.now, m))
		}
		for range 2 {
			step(s[0].tick(c.now))
		}
		step(s[0].receive(c.now, &message{kind: request, from: s[2].self(), to: s[0].self(), marks: []mark{{replica: s[1].self()}, {replica: s[0].self()}}}))
		if s[0].find(room, 1, "x") == nil {
			t.Fatal("its own entry is gone")
		}
		var d Diff
		for len(s[0].order) > 0 {
			s[0].drop(s[0].order[0], &d)
		}
		step(d, nil)
		if len(n.fold) != 1 {
			t.Fatalf("%d entries are left", len(n.fold))
		}
	})
}
