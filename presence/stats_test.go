package presence_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// TestStats checks the counters and nodes of two nodes.
func TestStats(t *testing.T) {
	var broker pubsubtest.Memory
	o := presence.Options[person]{Timing: presence.Timing{BroadcastPeriod: 50 * time.Millisecond}}
	a := startPresence(t, pubsubtest.Start(t, broker.Node(t, "a"), nil), o)
	b := startPresence(t, pubsubtest.Start(t, broker.Node(t, "b"), nil), o)
	mustTrack(t, a.NewOwner(), "t", "ann", "ann")
	mustTrack(t, b.NewOwner(), "t", "bob", "bob")
	mustTrack(t, b.NewOwner(), "u", "bob", "bob")
	want := []presence.Node{{Name: "b", Up: true, Entries: 2}}
	waittest.Until(t, "a has the entries of b", func() bool {
		s := a.Stats()
		return s.Entries == 3 && s.Topics == 2 && s.SentBytes > 0 && reflect.DeepEqual(s.Nodes, want)
	})
}

// TestNodeEntries checks the bound of the entries of a node.
func TestNodeEntries(t *testing.T) {
	var broker pubsubtest.Memory
	p := startPresence(t, pubsubtest.Start(t, broker.Node(t, "a"), nil), presence.Options[person]{Limits: presence.Limits{NodeEntries: 2}})
	for _, key := range []string{"ann", "bob"} {
		mustTrack(t, p.NewOwner(), "t"+key, key, key)
	}
	if _, err := p.NewOwner().Track("t", "cy", person{}); err != presence.ErrFull {
		t.Errorf("an entry too many: %v", err)
	}
	startPresence(t, pubsubtest.Start(t, broker.Node(t, "b"), nil), presence.Options[person]{
		Timing: presence.Fast(), Limits: presence.Limits{NodeEntries: bennu.Unlimited},
	})
}
