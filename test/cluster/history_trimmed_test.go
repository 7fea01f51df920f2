package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// TestHistoryTrimmed: more is published than is kept while some clients are away, and while a node
// cannot reach the broker. Those clients and those of the node are told that they have lost messages, and
// nobody else is. Everybody gets all that follows.
func TestHistoryTrimmed(t *testing.T) {
	forKinds(t, brokerKinds, func(t *testing.T, kind string) {
		const keeps = 50
		b := startStore(t, kind)
		way := redistest.StartProxy(t)
		way.Point(b.addr())
		k := startKeepers(t, kind, b, scheme[kind]+b.addr(), func(o *keeperOptions) {
			if o.Size = keeps; o.Node == "a" {
				o.URL = scheme[kind] + way.Addr
			}
		})
		reached := *k // by the broker, at any time
		reached.list = k.list[1:]
		topics := chronicles(3)
		for _, topic := range topics {
			topic.keeps = keeps
		}
		all := newAudience(t, k.addr, time.Hour, 2*time.Hour)
		absent := newAudience(t, k.addr, time.Hour, 2*time.Hour)
		for i := range waittest.Sized(9, 90) {
			all.enter(rand.NewPCG(1, uint64(i)), topics...)
			absent.enter(rand.NewPCG(2, uint64(i)), topics...)
		}
		all.meet(t)
		absent.meet(t)
		writers := reached.write(all, 1, 0, time.Second, nil)
		writers.burst(topics, 1, 1, 10)
		absent.halt()

		way.Point("127.0.0.1:0") // there is nobody
		way.Cut()
		writers.burst(topics, 2, 1, 4*keeps)
		way.Point(b.addr())
		back := absent.again(t, time.Time{})
		writers.burst(topics, 3, 1, 10)
		writers.end(topics)
		all.finish(t)
		back.finish(t)
		all.account(t, topics, 1)
		back.account(t, nil, 1)
		for name, some := range map[string]*audience{"those that stayed": all, "those that were away": back} {
			t.Logf("%s: %s: %v", kind, name, some)
		}
		for i, r := range back.clients {
			for _, f := range r.follow {
				if len(f.told) == 0 {
					t.Errorf("client %d was away, and was not told that it has lost messages of %s", i, f.topic)
				}
			}
		}
		if all.losses == nil {
			t.Error("nobody at the node that was cut off was told to have lost messages")
		}
	})
}
