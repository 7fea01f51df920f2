package history_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// shared is a store of several nodes, which a Log does not close.
type shared struct{ history.Store }

func (shared) Close(context.Context) error { return nil }

// startNodes makes nodes with a broker between them and one store.
func startNodes(t *testing.T, broker *pubsubtest.Memory, names ...string) (nodes []*node) {
	t.Helper()
	s := shared{history.NewMemory(1 << 30)}
	for _, name := range names {
		ps, err := pubsub.New(t.Context(), &pubsub.Options{Adapter: broker.Node(t, name)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ps.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		nodes = append(nodes, startOn(t, ps, &history.Options{Store: s}))
	}
	return nodes
}

// TestNodes: subscribers of all nodes get the same messages in the same order, also those that were
// published while the broker was away.
func TestNodes(t *testing.T) {
	var broker pubsubtest.Memory
	nodes := startNodes(t, &broker, "a", "b", "c")
	var recorders []*recorder
	for _, n := range nodes {
		recorders = append(recorders, n.subscribe("t"))
	}
	publish := func(round string) {
		var wg sync.WaitGroup
		for i, n := range nodes {
			for w := range 4 {
				wg.Go(func() {
					for m := range 25 {
						n.must("t", fmt.Sprintf("%s/%d/%d/%d", round, i, w, m))
					}
				})
			}
		}
		wg.Wait()
	}
	publish("connected")
	mend := broker.Break()
	publish("apart")
	mend()
	publish("again")
	want := nodes[0].events("t")
	if n := len(strings.Fields(want)); n != 900 {
		t.Errorf("%d messages are stored", n)
	}
	for i, r := range recorders {
		waittest.Until(t, "all messages have arrived", func() bool { return len(r.list()) >= 900 })
		if got := r.got(); got != want {
			t.Errorf("node %d got\n%s\nstored\n%s", i, got, want)
		}
	}
}

// TestKeyOnNodes: a message is published once, whichever nodes try.
func TestKeyOnNodes(t *testing.T) {
	var broker pubsubtest.Memory
	nodes := startNodes(t, &broker, "a", "b")
	r := nodes[1].subscribe("t")
	var places sync.Map
	var wg sync.WaitGroup
	for _, n := range nodes {
		for range 10 {
			wg.Go(func() {
				at, err := n.publish(t.Context(), "t", "a", follow.PublishOptions{Key: "k"})
				if err != nil {
					t.Error(err)
				}
				places.Store(at, true)
			})
		}
	}
	wg.Wait()
	n := 0
	places.Range(func(any, any) bool { n++; return true })
	nodes[0].must("t", "b")
	waittest.Until(t, "the next message has arrived", func() bool { return strings.HasSuffix(r.got(), "b") })
	if r.got() != "a b" || n != 1 {
		t.Errorf("delivered %q, %d offsets", r.got(), n)
	}
}

// TestEraseOnNodes: another node hears of it with the next message.
func TestEraseOnNodes(t *testing.T) {
	var broker pubsubtest.Memory
	nodes := startNodes(t, &broker, "a", "b")
	r := nodes[1].subscribe("t")
	nodes[0].must("t", "a")
	waittest.Until(t, "the first message has arrived", func() bool { return r.got() == "a" })
	if err := nodes[0].Erase(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	nodes[0].must("t", "b")
	waittest.Until(t, "the node has heard of it", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.broke == 1
	})
	nodes[0].must("t", "c")
	waittest.Until(t, "the last message has arrived", func() bool { return strings.HasSuffix(r.got(), "c") })
}
