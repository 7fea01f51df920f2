package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestHistoryFaults: clients that resume are cut again and again, nodes are killed and started again, and
// so is the broker, which is the store, too. Each client gets everything after its first position,
// once and in order.
func TestHistoryFaults(t *testing.T) {
	forKinds(t, brokerKinds, func(t *testing.T, kind string) {
		b := startDurable(t, kind)
		k := startKeepers(t, kind, b, scheme[kind]+b.addr())
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		topics := chronicles(waittest.Sized(3, 16))
		all := newAudience(t, k.addr, 100*time.Millisecond, 2*time.Second)
		for i := range waittest.Sized(12, 400) {
			var some []*chronicle
			for _, n := range r.Perm(len(topics))[:waittest.Sized(2, 4)] {
				some = append(some, topics[n])
			}
			all.enter(rand.NewPCG(seed, uint64(1000+i)), some...)
		}
		writers := k.write(all, seed, 2, waittest.Sized(10*time.Millisecond, 60*time.Millisecond), topics)
		kills, brokerKills := k.torment(all, r, waittest.Sized[int64](15_000, 10_000_000))
		writers.end(topics)
		all.finish(t)

		all.account(t, topics, 0)
		t.Logf("%s: %v; %d messages, %d retries; %d nodes killed, %d times the broker", kind, all,
			writers.published.Load(), writers.retries.Load(), kills, brokerKills)
		for _, n := range k.list {
			t.Logf("node %s: %+v", n.options.Node, n.stats(t))
		}
	})
}

// torment kills nodes and the broker until clients have got so many messages. At full size it does so
// by the clock, otherwise whenever the clients have got on well.
func (k *keepers) torment(c *audience, r *rand.Rand, goal int64) (kills, brokerKills int) {
	k.t.Helper()
	for round := 1; c.deliveries.Load() < goal || round <= 4; round++ {
		if waittest.Full {
			lasts(5 * time.Second)
		}
		k.progress(c, waittest.Sized[int64](goal/6, 1))
		if c.faults.Load() > 0 {
			return kills, brokerKills
		}
		victim := k.list[r.IntN(len(k.list))]
		away := round%waittest.Sized(3, 6) == 0
		if away {
			k.broker.kill(k.t)
			brokerKills++
			lasts(time.Duration(r.IntN(waittest.Sized(300, 2000))) * time.Millisecond)
		}
		victim.process.kill()
		kills++
		if away {
			k.broker.restart(k.t)
		}
		victim.start(k.t)
	}
	return kills, brokerKills
}

// progress waits until clients have got so many more messages.
func (k *keepers) progress(c *audience, messages int64) {
	k.t.Helper()
	before := c.deliveries.Load()
	eventually(k.t, "the clients get messages", func() bool { return c.deliveries.Load() >= before+messages || c.faults.Load() > 0 })
}
