package cluster

import (
	"fmt"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// TestMany sends many messages over whole nodes: ten publishers on three of them, and
// WebSocket clients on each. Each client gets each message once, in the order of its
// publisher. A million without clients: make cluster-order.
func TestMany(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		const (
			topic      = "room:many"
			publishers = 10
			batch      = 100 // of each publisher; all together must fit a client's queue
		)
		rounds := waittest.Sized(2, 1000)
		_, list := startNodes(t, kind, nil, "a", "b", "c")
		var watchers []*watcher
		for _, n := range list {
			n.listen(t, topic)
			watchers = append(watchers, n.watch(t, topic))
		}
		// One that was late to take note of the others' interest has told of a gap then.
		openAccount(t, "room:before", 0, 0, list...)
		before := make(map[*node]pubsub.Health)
		for i, n := range list {
			eventually(t, "the client is there", watchers[i].isJoined)
			watchers[i].excuse()
			before[n] = n.stats(t).PubSub
		}
		for round := range rounds {
			var all sync.WaitGroup
			for i := range publishers {
				n := list[i%len(list)]
				all.Go(func() {
					p, err := ask[published](n.http, "publish", publishing{Topic: topic, From: fmt.Sprint("p", i), Messages: batch})
					if err != nil || p.Err != "" || p.Refused != 0 {
						t.Errorf("%s: %v, %+v", n.name, err, p)
					}
				})
			}
			all.Wait()
			want := (round + 1) * batch
			ok := within(patience, func() bool {
				for _, w := range watchers {
					for i := range publishers {
						if w.tally.last(fmt.Sprint("p", i)) < want {
							return false
						}
					}
				}
				return true
			})
			if !ok {
				for i, w := range watchers {
					w.check(t)
					t.Errorf("%s has %+v; its node: %+v", w.name, w.tally.counts(), list[i].stats(t).PubSub)
				}
				t.FailNow()
			}
		}
		total := rounds * batch
		for i, w := range watchers {
			w.checkWhole(t)
			for from, c := range list[i].heard(t, topic).From {
				if c.Got != total || c.Wrong != "" {
					t.Errorf("%s heard %d of %d messages of %s, %s", list[i].name, c.Got, total, from, c.Wrong)
				}
			}
			for from, c := range w.tally.counts() {
				if c.Got != total {
					t.Errorf("%s got %d of %d messages of %s", w.name, c.Got, total, from)
				}
			}
			if h, b := list[i].stats(t).PubSub, before[list[i]]; h.Missed+h.Discarded+h.Lost+h.Gaps != b.Missed+b.Discarded+b.Lost+b.Gaps {
				t.Errorf("%s: %+v", list[i].name, h)
			}
		}
	})
}
