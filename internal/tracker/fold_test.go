package tracker

import "testing"

func TestFold(t *testing.T) {
	c, s := newCluster(t, Options{}, "one")
	c.track(s[0], "a", "b")
	list := s[0].list(room)
	a, b := list[0], list[1]
	if a.Key() != "a" {
		a, b = b, a
	}
	join := func(e ...*Entry) Diff { return Diff{Joins: e} }
	leave := func(e ...*Entry) Diff { return Diff{Leaves: e} }
	for _, test := range []struct {
		name  string
		diffs []Diff
		want  string
	}{
		{"one", []Diff{join(a)}, "+a"},
		{"two joins", []Diff{join(a), join(b)}, "+a +b"},
		{"an update", []Diff{{Joins: []*Entry{b}, Leaves: []*Entry{a}}, {}}, "+b -a"},
		{"came and went", []Diff{join(a), join(b), leave(a)}, "+b"},
		// When a node that was down is up again, its entries are the same values.
		{"went and came back", []Diff{leave(a), join(b), join(a)}, "+b"},
		{"came, went and came back", []Diff{join(a), leave(a), join(a)}, "+a"},
		{"went, came back and went", []Diff{leave(a), join(a), leave(a)}, "-a"},
		{"went and came back twice", []Diff{leave(a, b), join(b, a), leave(b), leave(a), join(a)}, "-b"},
	} {
		if got := describe(fold(test.diffs)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
