package presence

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/tracker"
	"github.com/bennu-go/bennu/pubsub"
)

const lobby = "room:lobby"

// entriesNamed makes entries, each with an owner of its own. The key of each is its name without the
// last letter.
func entriesNamed(t *testing.T, names ...string) map[string]*tracker.Entry {
	t.Helper()
	tr, err := tracker.Start(t.Context(), pubsub.NewLocal(), tracker.Options{}, func(*tracker.Tracker, tracker.Diff) {})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	entries := make(map[string]*tracker.Entry)
	for i, name := range names {
		e, err := tr.Track(lobby, tracker.Owner(i), name[:len(name)-1], []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		entries[name] = e
	}
	return entries
}

func TestHold(t *testing.T) {
	entries := entriesNamed(t, "ann1", "ann2", "ann3", "bob1")
	pick := func(names string) (list []*tracker.Entry) {
		for name := range strings.FieldsSeq(names) {
			list = append(list, entries[name])
		}
		return list
	}
	names := func(list []*tracker.Entry) string {
		var all []string
		for name, e := range entries {
			for range list {
				if i := slices.Index(list, e); i >= 0 {
					list = slices.Delete(slices.Clone(list), i, i+1)
					all = append(all, name)
				}
			}
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	type step struct{ joins, leaves, toldJoins, toldLeaves, held string }
	for name, steps := range map[string][]step{
		"a leave is kept back":       {{leaves: "ann1 bob1", held: "ann1 bob1"}},
		"an update is not":           {{joins: "ann2", leaves: "ann1", toldJoins: "ann2", toldLeaves: "ann1"}},
		"a reload is told as one":    {{leaves: "ann1", held: "ann1"}, {joins: "ann2", toldJoins: "ann2", toldLeaves: "ann1"}},
		"another key does not count": {{leaves: "ann1", held: "ann1"}, {joins: "bob1", toldJoins: "bob1", held: "ann1"}},
		// Clients apply joins first, so a ref in joins and leaves would be removed.
		"the same entry was never away": {{leaves: "ann1 bob1", held: "ann1 bob1"}, {joins: "ann1", held: "bob1"}, {joins: "bob1"}},
		"the same entry and another":    {{leaves: "ann1 ann2", held: "ann1 ann2"}, {joins: "ann1 ann3", toldJoins: "ann3", toldLeaves: "ann2"}},
		"the same entry twice":          {{leaves: "ann1", held: "ann1"}, {joins: "ann1"}, {leaves: "ann1", held: "ann1"}, {joins: "ann1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &core{settings: settings{leaveDelay: time.Hour}}
			c.held.init(c)
			defer c.held.close()
			for i, s := range steps {
				d := c.held.filter(lobby, tracker.Diff{Joins: pick(s.joins), Leaves: pick(s.leaves)}, time.Now())
				got := step{s.joins, s.leaves, names(d.Joins), names(d.Leaves), names(c.held.of(lobby))}
				if got != s {
					t.Errorf("step %d: got %+v, want %+v", i, got, s)
				}
			}
		})
	}
}

// A leave that is held back a second time is held back for the whole time.
func TestHoldTwice(t *testing.T) {
	c := newCore(pubsub.NewLocal(), settings{leaveDelay: time.Hour}, slog.New(slog.DiscardHandler))
	defer c.held.close()
	e := entriesNamed(t, "ann1")["ann1"]
	leave, join := tracker.Diff{Leaves: []*tracker.Entry{e}}, tracker.Diff{Joins: []*tracker.Entry{e}}
	c.held.filter(lobby, leave, time.Now().Add(-2*time.Hour)) // is due
	c.held.filter(lobby, join, time.Now())
	c.held.filter(lobby, leave, time.Now())
	c.held.timer.Stop()
	c.held.release() // in its place
	if held := c.held.of(lobby); len(held) != 1 {
		t.Errorf("%d are held after the time of the first leave, want 1", len(held))
	}
}

// Between two checks an entry may leave or come back.
func TestTogether(t *testing.T) {
	all := entriesNamed(t, "ann1", "ann2", "bob1")
	list := []*tracker.Entry{all["ann1"], all["bob1"]}
	if got := together(list, []*tracker.Entry{all["ann1"], all["ann2"]}); len(got) != 3 || got[2] != all["ann2"] {
		t.Errorf("got %d entries, want ann2 added to the 2", len(got))
	}
}
