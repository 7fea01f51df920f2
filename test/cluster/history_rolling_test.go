package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestHistoryRolling: three nodes get a new version in turn, while messages are published. Each
// client is closed once or more, and gets everything once and in order.
func TestHistoryRolling(t *testing.T) {
	forKinds(t, waittest.Sized([]string{kindRedis}, brokerKinds), func(t *testing.T, kind string) {
		b := startStore(t, kind)
		k := startKeepers(t, kind, b, scheme[kind]+b.addr())
		topics := chronicles(waittest.Sized(5, 100))
		all := newAudience(t, k.addr, time.Hour, 2*time.Hour)
		for i := range waittest.Sized(60, 3000) {
			all.enter(rand.NewPCG(1, uint64(i)), topics[i%len(topics)])
		}
		all.meet(t)
		// 11% more than the wanted 1,000 a second: what is under way in the end does not count.
		writers := k.write(all, 1, 4, waittest.Sized(80*time.Millisecond, 360*time.Millisecond), topics)
		some := waittest.Sized[int64](600, 150_000) // of 12 or 30 a message
		for _, n := range k.list {
			k.progress(all, some)
			n.process.terminate(t)
			k.progress(all, some/10)
			n.start(t)
		}
		k.progress(all, some)
		rate := writers.rate()
		writers.end(topics)
		all.finish(t)
		all.account(t, topics, 0)
		t.Logf("%s: %v; %d messages, %.0f a second, %d retries", kind, all, writers.published.Load(), rate, writers.retries.Load())
		if waittest.Full && rate < 1000 {
			t.Errorf("%.0f messages a second were published, want at least 1,000", rate)
		}
	})
}

// chronicles makes those of some topics.
func chronicles(n int) (topics []*chronicle) {
	for i := range n {
		topics = append(topics, newChronicle(fmt.Sprint("log:", i)))
	}
	return topics
}
