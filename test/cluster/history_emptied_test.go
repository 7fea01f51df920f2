package cluster

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestHistoryEmptied: the broker, which is the store, too, is killed and comes back with nothing. Each
// client that had a position is told so, once, and gets everything that follows.
func TestHistoryEmptied(t *testing.T) {
	forKinds(t, brokerKinds, func(t *testing.T, kind string) {
		b, dir := broker(nil), t.TempDir()
		if kind == kindNATS {
			b = startNATS(t, natsOptions{Store: dir})
		} else {
			b = startBroker(t, kind)
		}
		k := startKeepers(t, kind, b, scheme[kind]+b.addr())
		topics := chronicles(3)
		for _, topic := range topics {
			topic.forgets = true
		}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		all := newAudience(t, k.addr, 100*time.Millisecond, 2*time.Second)
		for i := range waittest.Sized(12, 200) {
			all.enter(rand.NewPCG(seed, uint64(i)), topics[i%len(topics)], topics[(i+1)%len(topics)])
		}
		all.meet(t)
		writers := k.write(all, seed, 2, waittest.Sized(10*time.Millisecond, 50*time.Millisecond), topics)
		rounds := waittest.Sized(1, 20)
		for range rounds {
			k.progress(all, waittest.Sized[int64](1000, 20_000))
			b.kill(t)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			b.restart(t)
		}
		k.progress(all, 1000)
		writers.end(topics)
		all.finish(t)
		all.account(t, topics, rounds)
		t.Logf("%s: %v; %d messages, %d retries; emptied %d times", kind, all, writers.published.Load(), writers.retries.Load(), rounds)
	})
}
