package natshistory

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
)

// kept is what the benchmarks keep of a topic.
var kept = history.Keep{Size: 1000, Bytes: 1 << 20, Age: time.Hour}

// BenchmarkOnePublisher has one node publish to one topic, one message after the other.
func BenchmarkOnePublisher(b *testing.B) {
	forServers(b, func(b *testing.B, url string, replicas int) { publishers(b, url, replicas, 1) })
}

// BenchmarkEightNodes has 8 nodes publish to one topic at the same time.
func BenchmarkEightNodes(b *testing.B) {
	forServers(b, func(b *testing.B, url string, replicas int) { publishers(b, url, replicas, 8) })
}

// forServers runs a benchmark with one server, and with three.
func forServers(b *testing.B, f func(b *testing.B, url string, replicas int)) {
	b.Run("R1", func(b *testing.B) { f(b, startBroker(b, nil).url(), 1) })
	b.Run("R3", func(b *testing.B) { f(b, urls(clusterOf(b, 3)), 3) })
}

func publishers(b *testing.B, url string, replicas, nodes int) {
	stores := make([]*store, nodes)
	for i := range stores {
		stores[i] = open(b, url, func(o *Options) { o.Replicas, o.Size = replicas, kept.Size })
	}
	payload := make([]byte, 150)
	for i := range payload {
		payload[i] = 'x'
	}
	var next atomic.Int64
	var all sync.WaitGroup
	most := make([]int64, nodes)
	b.ReportAllocs()
	b.ResetTimer()
	for i, s := range stores {
		all.Go(func() {
			for n := uint64(1); next.Add(1) <= int64(b.N); n++ {
				e := &history.Entry{Event: "said", Payload: payload, Binary: true, Boot: fmt.Sprint("boot", i), Number: n}
				if _, err := s.Append(b.Context(), "room:1", e, &history.AppendOptions{Keep: kept}); err != nil {
					b.Error(err)
					return
				}
				most[i]++
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.Log(most)
}
