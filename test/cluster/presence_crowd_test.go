package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/presence"
)

// The kinds of adapter with presence on it: one whose nodes are the broker, and one with a
// broker that remembers nothing.
var presenceKinds = []string{kindEmbedded, kindRedis}

// brisk finds out in fifteen seconds who is gone: soon enough for every day, and late enough
// for nodes that wait for a core, or stand still for a while.
func brisk() presence.Timing {
	return presence.Timing{BroadcastPeriod: 200 * time.Millisecond, MaxSilentPeriods: 2, DownPeriod: 15 * time.Second}
}

// patient is brisk, but nobody is down for being silent.
func patient() presence.Timing {
	c := brisk()
	c.DownPeriod = 5 * time.Minute
	return c
}

// resolved is a Timing with the defaults of the two that tests look at.
func resolved(t presence.Timing) presence.Timing {
	t.BroadcastPeriod = cmp.Or(t.BroadcastPeriod, 1500*time.Millisecond)
	t.DownPeriod = cmp.Or(t.DownPeriod, 30*time.Second)
	return t
}

// withPresence gives nodes a presence.
func withPresence(c presence.Timing) func(*nodeOptions) {
	return func(o *nodeOptions) { o.Presence = &c }
}

// crowd is the users of a cluster, as the test knows them: the refs of each node's, by
// key. What nodes list is compared with it.
type crowd map[string]map[string]string

// keysOf are users of a node.
func keysOf(n *node, from, to int) (keys []string) {
	for i := from; i < to; i++ {
		keys = append(keys, fmt.Sprintf("%s/%d", n.options.Node, i))
	}
	return keys
}

// gather makes a crowd of so many users on each node, and waits until all see it.
func gather(t testing.TB, users int, list ...*node) crowd {
	t.Helper()
	c := make(crowd)
	for _, n := range list {
		c.track(t, n, keysOf(n, 0, users)...)
	}
	took := c.agree(t, "all see all users", time.Now(), list...)
	t.Logf("%d users on each of %d nodes, known to all after %v", users, len(list), took.Round(time.Millisecond))
	return c
}

func (c crowd) track(t testing.TB, n *node, keys ...string) {
	t.Helper()
	name := n.options.Node
	if c[name] == nil {
		c[name] = make(map[string]string)
	}
	maps.Copy(c[name], do[map[string]string](t, n, "track", crowding{keys}))
}

func (c crowd) update(t testing.TB, n *node, keys ...string) {
	t.Helper()
	maps.Copy(c[n.options.Node], do[map[string]string](t, n, "update", crowding{keys}))
}

func (c crowd) untrack(t testing.TB, n *node, keys ...string) {
	t.Helper()
	do[map[string]string](t, n, "untrack", crowding{keys})
	for _, key := range keys {
		delete(c[n.options.Node], key)
	}
}

// of is the part of a crowd that is on some nodes.
func (c crowd) of(list ...*node) crowd {
	part := make(crowd)
	for _, n := range list {
		part[n.options.Node] = c[n.options.Node]
	}
	return part
}

// digest is that of the list which all nodes should have.
func (c crowd) digest() string {
	list := make(map[string][]string)
	for _, users := range c {
		for key, ref := range users {
			list[key] = append(list[key], ref)
		}
	}
	return digest(list)
}

// see asks for what a node sees. Its diffs come to its list.
func (n *node) see(t testing.TB) view {
	t.Helper()
	v := do[view](t, n, "view", viewing{})
	for _, f := range v.Faults {
		t.Errorf("%s: %s", n.name, f)
	}
	if len(v.Faults) > 0 {
		t.FailNow()
	}
	return v
}

// agree waits until nodes list exactly this crowd, and returns how long that is after a
// moment.
func (c crowd) agree(t testing.TB, what string, since time.Time, list ...*node) time.Duration {
	t.Helper()
	want := c.digest()
	for _, n := range list {
		if !within(patience, func() bool { return n.see(t).Digest == want }) {
			c.explain(t, n)
			t.Fatalf("never happened: %s", what)
		}
	}
	return time.Since(since)
}

// explain says how the list of a node is not that of the crowd.
func (c crowd) explain(t testing.TB, n *node) {
	t.Helper()
	v := do[view](t, n, "view", viewing{Whole: true})
	t.Logf("%s: %d entries, down %q, came %v, left %v, %+v", n.name, v.Entries, v.Down, v.Came, v.Left, v.Stats)
	shown := 0
	for node, users := range c {
		for key, ref := range users {
			if !slices.Equal(v.List[key], []string{ref}) && shown < 20 {
				shown++
				t.Logf("%s lists %s of %s as %q, which is %q", n.name, key, node, v.List[key], ref)
			}
		}
	}
	for key, refs := range v.List {
		if _, there := c[nodeOf(key)][key]; !there && shown < 20 {
			shown++
			t.Logf("%s lists %s as %q, who is not there", n.name, key, refs)
		}
	}
}

// diary is what nodes had seen at one moment.
type diary map[*node]view

func record(t testing.TB, list ...*node) diary {
	t.Helper()
	d := make(diary)
	for _, n := range list {
		d[n] = n.see(t)
	}
	return d
}

// stayed fails the test if clients of those nodes were told since that a user of one of the
// others named has left.
func (d diary) stayed(t testing.TB, of ...*node) {
	t.Helper()
	for n, before := range d {
		now := n.see(t)
		for _, other := range of {
			name := other.options.Node
			if gone := now.Left[name] - before.Left[name]; gone != 0 {
				t.Errorf("%s told of %d users of %s who did not leave; the latest leaves: %q", n.name, gone, other.name, now.Latest)
			}
		}
	}
}
