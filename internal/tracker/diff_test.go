package tracker

import (
	"slices"
	"strings"
	"testing"
)

func TestByTopic(t *testing.T) {
	s, err := newState(replica{"a", 1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	make := func(names string) (entries []*Entry) {
		for i, name := range strings.Fields(names) {
			d, err := s.track(name[:1], 1, name[1:], nil)
			if err != nil {
				t.Fatal(i, err)
			}
			entries = append(entries, d.Joins...)
		}
		return entries
	}
	d := Diff{Joins: make("b1 c1 b2 a1"), Leaves: make("d5 b5 b6")}
	if d.Empty() || !(Diff{}).Empty() {
		t.Error("Empty is wrong")
	}
	var got []string
	for topic, part := range d.ByTopic() {
		for _, e := range slices.Concat(part.Joins, part.Leaves) {
			if e.Topic() != topic {
				t.Errorf("%s is in %s", e.Topic(), topic)
			}
		}
		got = append(got, topic+": "+describe(part))
	}
	if want := []string{"a: +1", "b: +1 +2 -5 -6", "c: +1", "d: -5"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for range d.ByTopic() {
		break
	}
	for topic := range (Diff{}).ByTopic() {
		t.Errorf("%s in an empty diff", topic)
	}
}
