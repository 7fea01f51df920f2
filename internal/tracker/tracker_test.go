package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

var quiet = slog.New(slog.DiscardHandler)

// quick are Options with which nodes learn of each other soon, and go down only when a test waits for it.
var quick = Options{BroadcastPeriod: 20 * time.Millisecond, MaxSilentPeriods: 2, DownPeriod: 20 * time.Second}

func withShards(n int) Options {
	o := quick
	o.Shards = n
	return o
}

// listener is a Tracker with a record of its diffs.
type listener struct {
	*Tracker
	mu     sync.Mutex
	list   map[string]bool // folded from diffs: topic, key and meta
	faults []string
	log    *strings.Builder
}

func run(t *testing.T, ps *pubsub.PubSub, o Options) *listener {
	t.Helper()
	n := &listener{list: map[string]bool{}, log: &strings.Builder{}}
	o.Logger = slog.New(slog.NewTextHandler(n, nil))
	tr, err := Start(t.Context(), ps, o, n.tell)
	if err != nil {
		t.Fatal(err)
	}
	n.Tracker = tr
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		for _, f := range n.faults {
			t.Error(f)
		}
	})
	return n
}

// Write takes log lines.
func (n *listener) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(b)
}

func (n *listener) tell(_ *Tracker, d Diff) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := func(e *Entry) string {
		return fmt.Sprintf("%s/%s=%s %s", e.Topic(), e.Key(), e.Meta(), e.Ref())
	}
	for _, e := range d.Joins {
		if n.list[name(e)] {
			n.faults = append(n.faults, name(e)+" joins twice")
		}
		n.list[name(e)] = true
	}
	for _, e := range d.Leaves {
		if !n.list[name(e)] {
			n.faults = append(n.faults, name(e)+" leaves without a join")
		}
		delete(n.list, name(e))
	}
}

// told returns the list that the diffs add up to.
func (n *listener) told() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for name := range n.list {
		entry, _, _ := strings.Cut(name, " ")
		list = append(list, entry)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// lists returns the entries of some topics.
func (n *listener) lists(topics ...string) string {
	var list []string
	for _, topic := range topics {
		for _, e := range n.List(topic) {
			list = append(list, fmt.Sprintf("%s/%s=%s", e.Topic(), e.Key(), e.Meta()))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// TestTrackers tests the trackers of three nodes, with several shards.
func TestTrackers(t *testing.T) {
	for _, shards := range []int{1, 3} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			var broker pubsubtest.Memory
			var nodes []*listener
			for _, name := range []string{"a", "b", "c"} {
				nodes = append(nodes, run(t, pubsubtest.Start(t, broker.Node(t, name), nil), withShards(shards)))
			}
			topics := []string{"t0", "t1", "t2", "t3", "t4"}
			agree := func(want string) {
				t.Helper()
				for _, n := range nodes {
					waittest.Until(t, fmt.Sprintf("a listener lists %q; it lists %q", want, n.lists(topics...)), func() bool {
						return n.lists(topics...) == want && n.told() == want
					})
				}
			}
			for i, n := range nodes {
				for k, topic := range topics {
					if _, err := n.Track(topic, Owner(i), "k", fmt.Append(nil, i, ".", k)); err != nil {
						t.Fatal(err)
					}
				}
			}
			agree("t0/k=0.0 t0/k=1.0 t0/k=2.0 t1/k=0.1 t1/k=1.1 t1/k=2.1 t2/k=0.2 t2/k=1.2 t2/k=2.2 t3/k=0.3 t3/k=1.3 t3/k=2.3 t4/k=0.4 t4/k=1.4 t4/k=2.4")
			nodes[0].UntrackOwner(0)
			if !nodes[1].Untrack("t1", 1, "k") || nodes[1].Untrack("t1", 1, "k") {
				t.Error("Untrack does not say what there was")
			}
			if e, err := nodes[2].Update("t2", 2, "k", []byte("new")); err != nil || e.PrevRef() == "" || !nodes[2].Local(e) || nodes[1].Local(e) {
				t.Errorf("update: %v, %v", e, err)
			}
			agree("t0/k=1.0 t0/k=2.0 t1/k=2.1 t2/k=1.2 t2/k=new t3/k=1.3 t3/k=2.3 t4/k=1.4 t4/k=2.4")
			if n := nodes[0].Count("t0"); n != 2 || len(nodes[0].Get("t0", "k")) != 2 || nodes[1].Find("t0", 1, "k") == nil {
				t.Errorf("count %d", n)
			}
			if r := nodes[0].Nodes(); len(r) != 2 || r[0].Name != "b" || !r[0].Up {
				t.Errorf("replicas %+v", r)
			}
			if s := nodes[0].Stats(); s.SentBytes == 0 || s.Entries != 9 {
				t.Errorf("stats %+v", s)
			}
			// The broker stops, and each node goes on alone. Afterwards all agree.
			mend := broker.Break()
			for i, n := range nodes {
				if _, err := n.Track("t4", Owner(10+i), "alone", fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
			mend()
			agree("t0/k=1.0 t0/k=2.0 t1/k=2.1 t2/k=1.2 t2/k=new t3/k=1.3 t3/k=2.3 t4/alone=0 t4/alone=1 t4/alone=2 t4/k=1.4 t4/k=2.4")
			// A node closes without a fault, and its entries are removed.
			if err := nodes[2].Close(); err != nil {
				t.Error(err)
			}
			if _, err := nodes[2].Track("t", 1, "k", nil); !errors.Is(err, ErrClosed) {
				t.Errorf("Track after Close: %v", err)
			}
			nodes = nodes[:2]
			agree("t0/k=1.0 t2/k=1.2 t3/k=1.3 t4/alone=0 t4/alone=1 t4/k=1.4")
		})
	}
}

// TestNodeRestart starts a listener again under its name: its old entries leave at once.
func TestNodeRestart(t *testing.T) {
	var broker pubsubtest.Memory
	a := run(t, pubsubtest.Start(t, broker.Node(t, "a"), nil), quick)
	for i := range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
		ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: broker.Node(t, "b")})
		if err != nil {
			t.Fatal(err)
		}
		b := run(t, ps, quick)
		if _, err := b.Track("t", 1, "k", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("t/k=%d", i)
		waittest.Until(t, "the new listener's entry is alone", func() bool { return a.lists("t") == want && a.told() == want })
		// It is cut off, so the tracker of the other node gets no goodbye.
		if err := ps.Close(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

// TestNameTakenAndBack starts a second listener with the name of the first, and cuts it off: the entries of
// the first are listed again.
func TestNameTakenAndBack(t *testing.T) {
	var broker pubsubtest.Memory
	a := run(t, pubsubtest.Start(t, broker.Node(t, "a"), nil), quick)
	ps := pubsubtest.Start(t, broker.Node(t, "b"), nil)
	b := run(t, ps, quick)
	if _, err := b.Track("t", 1, "k", []byte("1")); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "b is seen", func() bool { return a.told() == "t/k=1" })
	second, err := newState(replica{name: "b", incarnation: math.MaxUint64 / 2}, quick)
	if err != nil {
		t.Fatal(err)
	}
	_, out := second.tick(0)
	if err := ps.Broadcast(&pubsub.Message{Topic: "\x01tracker:presence/0", Event: "tracker", Payload: out[0].append(nil), Binary: true}); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "b says so", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return strings.Contains(b.log.String(), "reason=tracker_superseded")
	})
	waittest.Until(t, "b is seen again", func() bool { return a.lists("t") == "t/k=1" && a.told() == "t/k=1" })
	for _, e := range b.List("t") {
		if !b.Local(e) || a.Local(e) || e.origin.id.incarnation <= second.self().incarnation {
			t.Errorf("%v", e.origin.id)
		}
	}
}

// TestNonsense publishes data that is not a message to the topic of a tracker.
func TestNonsense(t *testing.T) {
	var broker pubsubtest.Memory
	a := run(t, pubsubtest.Start(t, broker.Node(t, "a"), nil), quick)
	stranger := pubsubtest.Start(t, broker.Node(t, "x"), nil)
	for i, event := range []string{"tracker", "other"} {
		for _, payload := range [][]byte{nil, []byte("nonsense"), make([]byte, 100_000)} {
			if err := stranger.Broadcast(&pubsub.Message{Topic: "\x01tracker:presence/0", Event: event, Payload: payload, Binary: true}); err != nil {
				t.Fatal(err)
			}
		}
		want := uint64(3 * (i + 1))
		waittest.Until(t, "nonsense is counted", func() bool { return a.Stats().Refused == want })
	}
}

func TestStartErrors(t *testing.T) {
	ps := pubsub.NewLocal()
	for name, o := range map[string]Options{
		"shards":   {Shards: -1},
		"too many": {Shards: 1000},
		"name":     {Name: strings.Repeat("n", 1000)},
		"times":    {BroadcastPeriod: time.Hour},
	} {
		if _, err := Start(t.Context(), ps, o, nil); err == nil || !strings.HasPrefix(err.Error(), "presence: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The broker is stopped, so no node gets messages.
	var broker pubsubtest.Memory
	away := pubsubtest.Start(t, broker.Node(t, "a"), nil)
	mend := broker.Break()
	defer mend()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, away, Options{}, func(*Tracker, Diff) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start without a broker: %v", err)
	}
}
