package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/presence"
)

// viewer is a client in the hall. It keeps a list of those who are there as the stock
// client does: diffs that come before the state of its join wait for that, joins replace
// what has the same ref, and leaves take away what they name.
type viewer struct {
	*wstest.Client
	key   string
	node  *node
	list  map[string][]string // refs by key; nil before the state
	early []presenceDiff
}

// visit connects a viewer and lets it join, without waiting for anything.
func (n *node) visit(t testing.TB, key string) *viewer {
	t.Helper()
	v := &viewer{Client: wstest.Dial(t, n.ws("viewer")), key: key, node: n}
	v.Push(hall, "phx_join", fmt.Sprintf(`{"key":%q}`, key))
	return v
}

// catchUp takes all that the node had sent when it got a heartbeat.
func (v *viewer) catchUp(t testing.TB) {
	t.Helper()
	ref := v.Ref()
	v.Send(wstest.Text(wstest.V2("null", ref, "phoenix", "heartbeat", "{}")))
	for {
		m := v.Message()
		switch {
		case m.Event == "phx_reply" && m.Ref == ref:
			return
		case m.Event == "phx_error" || m.Event == "phx_close" || m.Event == "phx_reply" && m.Status != "ok":
			t.Fatalf("%s on %s: %s", v.key, v.node.name, m)
		case m.Event == "presence_state":
			var state people
			v.decode(t, m.Payload, &state)
			v.list = make(map[string][]string)
			v.apply(presenceDiff{Joins: state})
			for _, d := range v.early {
				v.apply(d)
			}
			v.early = nil
		case m.Event == "presence_diff":
			var d presenceDiff
			if v.decode(t, m.Payload, &d); v.list == nil {
				v.early = append(v.early, d)
			} else {
				v.apply(d)
			}
		}
	}
}

func (v *viewer) decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}

func (v *viewer) apply(d presenceDiff) {
	for key, p := range d.Joins {
		for _, m := range p.Metas {
			if !slices.Contains(v.list[key], m.Ref) {
				v.list[key] = append(v.list[key], m.Ref)
			}
		}
	}
	for key, p := range d.Leaves {
		for _, m := range p.Metas {
			v.list[key] = slices.DeleteFunc(v.list[key], func(ref string) bool { return ref == m.Ref })
		}
		if len(v.list[key]) == 0 {
			delete(v.list, key)
		}
	}
}

// settled reports whether nodes list the same, with so many entries, and returns it.
func settled(t testing.TB, entries int, list ...*node) (v view, ok bool) {
	t.Helper()
	digests := make(map[string]bool)
	for _, n := range list {
		v = n.see(t)
		digests[v.Digest] = true
	}
	return v, len(digests) == 1 && v.Entries == entries
}

// TestPresenceClients: clients of three nodes come while others come and go. Then one node
// is killed, and some clients of the others are cut off. Every client that is left, and
// every one that came again, sees just who is there.
func TestPresenceClients(t *testing.T) {
	forKinds(t, presenceKinds, func(t *testing.T, kind string) {
		perNode := waittest.Sized(8, 60)
		_, list := startNodes(t, kind, withPresence(waittest.Sized(brisk(), presence.Fast())), "a", "b", "c")
		stir := func(n *node) {
			do[struct{}](t, n, "stir", stirring{From: n.options.Node, Users: waittest.Sized(20, 100), Turns: waittest.Sized(300, 1000), Every: 5 * time.Millisecond})
		}
		for _, n := range list {
			stir(n)
		}
		var all []*viewer
		for i := range perNode {
			for _, n := range list {
				// Some users are on all nodes, some twice on one.
				all = append(all, n.visit(t, fmt.Sprintf("client/%d", i/2)))
			}
			for _, v := range all {
				v.catchUp(t)
			}
		}
		agree := func(what string, entries int, list ...*node) {
			t.Helper()
			var odd *viewer
			if within(patience, func() bool {
				want, ok := settled(t, entries, list...)
				odd = nil
				for _, v := range all { // who does not read is given up
					if v.catchUp(t); odd == nil && digest(v.list) != want.Digest {
						odd = v
					}
				}
				return ok && odd == nil
			}) {
				return
			}
			if odd == nil {
				t.Fatalf("%s: the nodes do not agree", what)
			}
			whole := do[view](t, odd.node, "view", viewing{Whole: true})
			t.Fatalf("%s: a client of %s, %s, sees %d keys: %v\nits node: %v", what, odd.node.name, odd.key, len(odd.list), odd.list, whole.List)
		}
		for _, n := range list {
			do[struct{}](t, n, "calm", struct{}{})
		}
		agree("all clients are there", 3*perNode, list...)

		for _, n := range list[:2] {
			stir(n)
		}
		a, b, victim := list[0], list[1], list[2]
		victim.kill()
		since := time.Now()
		var left, lost []*viewer
		for i, v := range all {
			if v.node == victim || i%7 == 0 {
				v.Abort()
				lost = append(lost, v)
			} else {
				left = append(left, v)
			}
		}
		all = left
		for i, v := range lost {
			all = append(all, list[i%2].visit(t, v.key))
		}
		for _, v := range all {
			v.catchUp(t)
		}
		for _, n := range list[:2] {
			do[struct{}](t, n, "calm", struct{}{})
		}
		agree("the lost are gone and have come again", 3*perNode, a, b)
		t.Logf("%d clients, %d of them lost; all see who is there after %v", 3*perNode, len(lost), time.Since(since).Round(time.Millisecond))
	})
}
