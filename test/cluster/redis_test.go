package cluster

import (
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestRedisClients (F37): an operator closes the connections that listen, and empties the
// database. The nodes listen again, and tell of the gap. What is particular to Redis is
// tested in more depth beside the adapter.
func TestRedisClients(t *testing.T) {
	t.Parallel()
	c, list := startNodes(t, kindRedis, nil, "a", "b")
	server := c.broker.(redisBroker)
	a := openAccount(t, "room:all", 2*time.Millisecond, 2, list...)
	a.begin(t)
	for range waittest.Sized(5, 100) {
		a.progress(t, "messages go both ways", 20)
		before := []int64{list[0].stats(t).PubSub.Gaps, list[1].stats(t).PubSub.Gaps}
		server.Do(t, "CLIENT", "KILL", "TYPE", "pubsub")
		for i, n := range list {
			eventually(t, "the node tells of a gap", func() bool { return n.stats(t).PubSub.Gaps > before[i] })
		}
		a.progress(t, "messages go both ways again", 20)
		server.Do(t, "FLUSHALL")
	}
	a.end(t)
	a.settle(t)
	for _, w := range a.watchers {
		if w.times() == 0 {
			t.Errorf("%s was told of no gap", w.name)
		}
	}
}
