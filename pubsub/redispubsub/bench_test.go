package redispubsub

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// BenchmarkTopics measures the time to confirm 100,000 topics, the time to confirm them again
// after the connection was lost, and the memory of each.
func BenchmarkTopics(b *testing.B) {
	const topics = 100_000
	run := func(b *testing.B, o Options, servers []*redistest.Server) {
		o.Probe = 5 * time.Second
		for b.Loop() {
			p := start(b, "a", o)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			subs := make([]*pubsub.Subscription, topics)
			one := &subscribertest.Box{}
			began := time.Now()
			for i := range subs {
				subs[i] = p.Subscribe(fmt.Sprint("room:", i), one)
			}
			for _, s := range subs {
				await(b, s)
			}
			b.ReportMetric(time.Since(began).Seconds(), "s/subscribe")
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/topics, "B/topic")
			since := p.Health().Since
			began = time.Now()
			for _, s := range servers {
				s.Do(b, "CLIENT", "KILL", "TYPE", "pubsub")
			}
			waittest.Until(b, "back", func() bool { h := p.Health(); return h.Connected && h.Since != since })
			b.ReportMetric(time.Since(began).Seconds(), "s/again")
			for _, s := range subs {
				s.Cancel()
			}
		}
	}
	b.Run("single", func(b *testing.B) {
		s := redistest.Start(b)
		run(b, Options{Addrs: []string{s.Addr}}, []*redistest.Server{s})
	})
	b.Run("cluster", func(b *testing.B) {
		c := redistest.StartCluster(b, 3, false, nil)
		run(b, Options{Addrs: c.Addrs(), Cluster: true}, c.Masters)
	})
}

// BenchmarkPublish measures messages of 256 bytes from one node to another.
func BenchmarkPublish(b *testing.B) {
	run := func(b *testing.B, o Options) {
		o.Probe, o.Buffer = 5*time.Second, 1<<30
		from, to := start(b, "from", o), start(b, "to", o)
		c := &counter{last: map[string]int{}}
		for _, topic := range spread {
			s := to.Subscribe(topic, c)
			b.Cleanup(s.Cancel)
			await(b, s)
		}
		payload := make([]byte, 256)
		payload[0] = '1'
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			for to.Health().Received+10_000 < int64(i) {
				runtime.Gosched()
			}
			if err := from.Broadcast(&pubsub.Message{Topic: spread[i%len(spread)], Event: "e", Payload: payload}); err != nil {
				b.Fatal(err)
			}
		}
		waittest.Until(b, "all have come", func() bool { return to.Health().Received >= int64(b.N) })
	}
	b.Run("single", func(b *testing.B) {
		run(b, Options{Addrs: []string{redistest.Start(b).Addr}})
	})
	b.Run("cluster", func(b *testing.B) {
		run(b, Options{Addrs: redistest.StartCluster(b, 3, false, nil).Addrs(), Cluster: true})
	})
}
