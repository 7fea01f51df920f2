package cluster

import (
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
)

// TestPresencePartition (F27): networks that are cut in two, that lose one direction, and
// that come and go, while users change on all nodes. Each node's diffs come to its list
// all the time, no node loses its own users or those of one it can hear, and after the
// heal all lists are equal within three periods.
func TestPresencePartition(t *testing.T) {
	needNamespaces(t)
	times := waittest.Sized(presence.Timing{BroadcastPeriod: time.Second, MaxSilentPeriods: 1, DownPeriod: 5 * time.Second}, presence.Timing{})
	resolved := resolved(times)
	both := func(s *namespaces, one, other string) {
		s.drop(one, other)
		s.drop(other, one)
	}
	for _, row := range []struct {
		name  string
		fault func(s *namespaces)
		times int                 // on and off; 0: until it is noticed
		sees  map[string][]string // what is left to each node then
		hear  [][2]string         // who hears each other all the time
		kinds []string
	}{
		{name: "two and one",
			fault: func(s *namespaces) { both(s, "a", "c"); both(s, "b", "c") },
			sees:  map[string][]string{"a": {"a", "b"}, "b": {"a", "b"}, "c": {"c"}},
			hear:  [][2]string{{"a", "b"}}, kinds: presenceKinds},
		{name: "all alone",
			fault: func(s *namespaces) { both(s, "a", "b"); both(s, "a", "c"); both(s, "b", "c") },
			sees:  map[string][]string{"a": {"a"}, "b": {"b"}, "c": {"c"}}, kinds: presenceKinds},
		{name: "one direction",
			fault: func(s *namespaces) { s.drop("a", "c") },
			// Their connection carries nothing the other way either.
			sees: map[string][]string{"a": {"a", "b"}, "b": {"a", "b", "c"}, "c": {"b", "c"}},
			hear: [][2]string{{"a", "b"}, {"b", "c"}}, kinds: []string{kindEmbedded}},
		{name: "flapping",
			fault: func(s *namespaces) { both(s, "a", "c"); both(s, "b", "c") },
			times: waittest.Sized(6, 30),
			hear:  [][2]string{{"a", "b"}}, kinds: presenceKinds},
	} {
		runEach(t, row.name, row.kinds, func(t *testing.T, kind string) {
			s, list := partitioned(t, kind, withPresence(times))
			byName := make(map[string]*node)
			for _, n := range list {
				byName[n.options.Node] = n
			}
			c := gather(t, waittest.Sized(100, 500), list...)
			before := record(t, list...)
			for round := range row.times {
				row.fault(s)
				c.busy(t, round, list...)
				lasts(2 * time.Second)
				s.heal()
				if round < row.times-1 {
					lasts(2 * time.Second)
				}
			}
			if row.times == 0 {
				began := time.Now()
				row.fault(s)
				c.busy(t, 0, list...)
				for name, sees := range row.sees {
					var seen []*node
					for _, other := range sees {
						seen = append(seen, byName[other])
					}
					c.of(seen...).agree(t, "who cannot be heard is down", began, byName[name])
				}
				t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond))
				c.busy(t, 1, list...)
				s.heal()
			}
			healed := time.Now()
			var linked time.Duration
			eventually(t, "all are connected again", func() bool {
				linked = time.Since(healed)
				for _, n := range list {
					if len(n.stats(t).PubSub.Peers) != 2 {
						return false
					}
				}
				return true
			})
			took := c.agree(t, "all lists are equal again", healed, list...)
			t.Logf("connected again after %v; a period is %v", linked.Round(time.Millisecond), resolved.BroadcastPeriod)
			t.Logf("all lists equal after the heal: %v", took.Round(time.Millisecond))
			if most := 3 * resolved.BroadcastPeriod; took > most {
				t.Errorf("all lists are equal after %v, want at most %v, three periods", took, most)
			}
			for _, n := range list {
				diary{n: before[n]}.stayed(t, n)
			}
			for _, pair := range row.hear {
				one, other := byName[pair[0]], byName[pair[1]]
				diary{one: before[one], other: before[other]}.stayed(t, one, other)
			}
		})
	}
}

// runEach runs a test with each kind of broker, one after the other: networks are not
// for several at once.
func runEach(t *testing.T, name string, kinds []string, test func(t *testing.T, kind string)) {
	for _, kind := range kinds {
		t.Run(name+"/"+kind, func(t *testing.T) { test(t, kind) })
	}
}
