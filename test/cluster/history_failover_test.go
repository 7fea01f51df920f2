package cluster

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// TestHistoryFailover: a replica of Redis takes over that lacks the newest messages, and more come
// than were lost. Every client is told that it has lost some: those that had seen them, and those that
// were away and come back to any node. It is told so at the latest when a node finds out; until then
// one may be told that it has missed nothing. In the new epoch everybody gets everything.
func TestHistoryFailover(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", strconv.Itoa(master.Port))
	eventually(t, "the replica follows", func() bool { return replica.Says("master_link_status:up", "INFO", "replication") })
	proxy := redistest.StartProxy(t)
	proxy.Point(master.Addr)
	k := startKeepers(t, kindRedis, nil, scheme[kindRedis]+proxy.Addr)
	topics := chronicles(waittest.Sized(3, 10))
	for _, topic := range topics {
		topic.forgets = true
	}
	all := newAudience(t, k.addr, 100*time.Millisecond, 2*time.Second)
	for i := range waittest.Sized(12, 200) {
		all.enter(rand.NewPCG(1, uint64(i)), topics[i%len(topics)], topics[(i+1)%len(topics)])
	}
	all.meet(t)
	absent := newAudience(t, k.addr, time.Hour, 2*time.Hour) // its clients are away meanwhile
	late := newAudience(t, k.addr, time.Hour, 2*time.Hour)   // and those until all others know
	for i := range waittest.Sized(6, 100) {
		absent.enter(rand.NewPCG(2, uint64(i)), topics[i%len(topics)])
		late.enter(rand.NewPCG(3, uint64(i)), topics[i%len(topics)])
	}
	absent.meet(t)
	late.meet(t)
	writers := k.write(all, 1, 0, time.Second, nil)
	writers.burst(topics, 1, 1, 50)
	absent.halt()
	late.halt()
	for _, topic := range topics {
		at := topic.acked[noted{1, 50}]
		eventually(t, "the replica has them", func() bool {
			return replica.Says(fmt.Sprint(at.offset), "HGET", "{bennu.h."+topic.topic+"}m", "h")
		})
	}

	replica.Do(t, "REPLICAOF", "NO", "ONE") // it gets nothing of what follows
	writers.burst(topics, 1, 51, 60)
	all.forkedAt = time.Now() // before the clients look at it
	for _, topic := range topics {
		topic.forks = topic.acked[noted{1, 60}].epoch
		topic.fork.Store(true)
	}
	proxy.Point(replica.Addr)
	master.Kill(t)
	proxy.Cut()
	back := absent.again(t, all.forkedAt)
	writers.burst(topics, 2, 1, 75)
	writers.end(topics)
	all.finish(t)
	back.finish(t)
	last := late.again(t, all.forkedAt)
	last.finish(t)
	for _, topic := range topics {
		for _, fault := range topic.check() {
			t.Error(fault)
		}
	}
	for name, some := range map[string]*audience{"those that stayed": all, "those that were away": back, "those that were away for long": last} {
		t.Logf("%s: %v; %d times told that nothing was missed", name, some, some.misleads)
		waittest.AtMost(t, name+": the last one that was told so", some.latest, 2*time.Second)
	}
}
