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
		b := startDurable(t, kind)
		k := startKeepers(t, kind, b, scheme[kind]+b.addr())
		topics := chronicles(waittest.Sized(5, 100))
		all := newAudience(t, k.addr, time.Hour, 2*time.Hour)
		for i := range waittest.Sized(60, 3000) {
			all.enter(rand.NewPCG(1, uint64(i)), topics[i%len(topics)])
		}
		all.meet(t)
		writers := k.write(all, 1, 1, waittest.Sized(20*time.Millisecond, 100*time.Millisecond), topics)
		some := waittest.Sized[int64](600, 150_000) // of 12 or 30 a message
		for _, n := range k.list {
			k.progress(all, some)
			n.process.terminate(t)
			k.progress(all, some/10)
			n.start(t)
		}
		k.progress(all, some)
		writers.end(topics)
		all.finish(t)
		all.account(t, topics, 0)
		t.Logf("%s: %v; %d messages, %d retries", kind, all, writers.published.Load(), writers.retries.Load())
	})
}

// chronicles makes those of some topics.
func chronicles(n int) (topics []*chronicle) {
	for i := range n {
		topics = append(topics, newChronicle(fmt.Sprint("log:", i)))
	}
	return topics
}
