package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
)

// TestPresenceKilled (F24): a node is killed. Its users are gone from the others within
// the down period and two seconds, and nobody else leaves even for a moment.
func TestPresenceKilled(t *testing.T) {
	forKinds(t, presenceKinds, func(t *testing.T, kind string) {
		type row struct {
			name  string
			times presence.Timing
		}
		for _, row := range waittest.Sized([]row{{"brisk", brisk()}}, []row{{"fast", presence.Fast()}, {"default", presence.Timing{}}}) {
			t.Run(row.name, func(t *testing.T) {
				users := waittest.Sized(60, 500)
				_, list := startNodes(t, kind, withPresence(row.times), "a", "b", "c")
				c := gather(t, users, list...)
				a, b, victim := list[0], list[1], list[2]
				before := record(t, a, b)

				victim.kill()
				since := time.Now()
				for i := range 10 { // life goes on
					c.update(t, a, keysOf(a, i*5, i*5+5)...)
					c.track(t, b, keysOf(b, users+i, users+i+1)...)
				}
				c = c.of(a, b)
				took := c.agree(t, "the users of the killed node are gone", since, a, b)
				down := resolved(row.times).DownPeriod
				t.Logf("%s: %d users of a killed node, down period %v", row.name, users, down)
				waittest.AtMost(t, "they are gone after", took, down+2*time.Second)
				before.stayed(t, a, b)
				for n, v := range record(t, a, b) {
					if got := v.Left["c"] - before[n].Left["c"]; got != users {
						t.Errorf("%s told of %d leaves of the killed node, which had %d users", n.name, got, users)
					}
				}
			})
		}
	})
}

// TestPresenceRestarted (F25): a node is killed and started again under its name, again
// and again. Its entries of before are gone at once, though nobody waits for silence
// here; the new ones come, nobody else leaves, and it gets everybody's.
func TestPresenceRestarted(t *testing.T) {
	forKinds(t, presenceKinds, func(t *testing.T, kind string) {
		times := waittest.Sized(patient(), presence.Timing{})
		period := resolved(times).BroadcastPeriod
		users := waittest.Sized(40, 300)
		cluster, list := startNodes(t, kind, withPresence(times), "a", "b", "c")
		c := gather(t, users, list...)
		a, b, victim := list[0], list[1], list[2]
		before := record(t, a, b)
		var away, ghosts, whole []time.Duration
		for round := range waittest.Sized(3, 200) {
			killed := time.Now()
			victim.kill()
			victim = cluster.start("c", withPresence(times))
			back := time.Now()
			away = append(away, back.Sub(killed))
			delete(c, "c")
			ghosts = append(ghosts, c.agree(t, "the ghosts are gone", back, a, b))
			whole = append(whole, c.agree(t, "the new node sees everybody", back, victim))
			// The same users come back, and some do not.
			c.track(t, victim, keysOf(victim, 0, users/2+round%(users/2))...)
			c.agree(t, "all see the users of the new node", back, a, b, victim)
			before.stayed(t, a, b)
			if v := victim.see(t); v.Left["a"]+v.Left["b"] != 0 {
				t.Errorf("the new node told of leaves: %q", v.Latest)
			}
			if round%10 == 0 {
				c.update(t, a, keysOf(a, 0, 10)...)
				c.update(t, b, keysOf(b, 0, 10)...)
			}
		}
		t.Logf("%d times killed and started, away for %v at most", len(away), slices.Max(away).Round(time.Millisecond))
		slices.Sort(ghosts)
		slices.Sort(whole)
		t.Logf("median: ghosts %v, whole list %v", ghosts[len(ghosts)/2].Round(time.Millisecond), whole[len(whole)/2].Round(time.Millisecond))
		waittest.AtMost(t, "the latest ghost, after the start", slices.Max(ghosts), 2*period)
		waittest.AtMost(t, "the latest whole list, after the start", slices.Max(whole), 3*period)
	})
}
