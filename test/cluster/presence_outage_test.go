package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
)

// busy changes the users of nodes: some have a new entry, some come, some come and go.
func (c crowd) busy(t testing.TB, round int, list ...*node) {
	t.Helper()
	for _, n := range list {
		c.update(t, n, keysOf(n, 0, 10)...)
		// Those who pass by are nobody's, so that leaves of the others stand out.
		var pass []string
		for i := range 6 {
			pass = append(pass, fmt.Sprintf("passer/%s%d.%d", n.options.Node, round, i))
		}
		c.track(t, n, pass...)
		c.untrack(t, n, pass[:4]...)
	}
}

// TestPresenceStopped (F26): the process of a node stops for a while and goes on, sooner
// or later than the others give it up. All lists are the same soon after, with what has
// changed meanwhile; and nobody was told that somebody left while he was there.
func TestPresenceStopped(t *testing.T) {
	forKinds(t, presenceKinds, func(t *testing.T, kind string) {
		times := waittest.Sized(brisk(), presence.Timing{})
		down := resolved(times).DownPeriod
		_, list := startNodes(t, kind, withPresence(times), "a", "b", "c")
		c := gather(t, waittest.Sized(40, 300), list...)
		a, b, victim := list[0], list[1], list[2]
		before := record(t, list...)
		var took []time.Duration
		for round, span := range waittest.Sized([]time.Duration{time.Second, down + time.Second, time.Second},
			slices.Repeat([]time.Duration{5 * time.Second, 20 * time.Second, 45 * time.Second}, 4)) {
			others := record(t, a, b)
			began := time.Now()
			victim.suspend(t)
			c.busy(t, round, a, b)
			if span > down {
				c.of(a, b).agree(t, "the silent node is down", began, a, b)
			}
			lasts(span - time.Since(began))
			victim.resume(t)
			took = append(took, c.agree(t, "all lists are equal again", time.Now(), victim, a, b))
			if time.Since(began) < down/2 { // on a busy machine it may have taken longer
				others.stayed(t, victim)
			}
			before.stayed(t, a, b)
		}
		t.Logf("equal again after %v", took)
		waittest.AtMost(t, "the latest equal lists, after the process went on", slices.Max(took), 5*time.Second)
	})
}

// TestPresenceBroker (F36): the broker is killed and comes back, sooner or later than the
// nodes give each other up, while their users change. All lists are equal within three
// periods of its return.
func TestPresenceBroker(t *testing.T) {
	forKinds(t, brokerKinds, func(t *testing.T, kind string) {
		times := waittest.Sized(brisk(), presence.Timing{})
		resolved := resolved(times)
		cluster, list := startNodes(t, kind, withPresence(times), "a", "b", "c")
		c := gather(t, waittest.Sized(40, 300), list...)
		var took []time.Duration
		for round, span := range waittest.Sized([]time.Duration{500 * time.Millisecond, resolved.DownPeriod + time.Second},
			[]time.Duration{time.Second, 5 * time.Second, 20 * time.Second, 40 * time.Second, time.Second}) {
			before := record(t, list...)
			began := time.Now()
			cluster.broker.kill(t)
			c.busy(t, round, list...)
			if span > resolved.DownPeriod {
				for _, n := range list {
					c.of(n).agree(t, "each node sees only its own", began, n)
				}
			}
			lasts(span - time.Since(began))
			cluster.broker.restart(t)
			took = append(took, c.agree(t, "all lists are equal again", time.Now(), list...))
			for _, n := range list {
				if time.Since(began) < resolved.DownPeriod/2 { // on a busy machine it may have taken longer
					before.stayed(t, n)
				} else { // to itself, nobody is ever away
					diary{n: before[n]}.stayed(t, n)
				}
			}
		}
		t.Logf("equal again after %v", took)
		waittest.AtMost(t, "the latest equal lists, after the broker's return", slices.Max(took), 3*resolved.BroadcastPeriod)
	})
}
