package follow

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/heaptest"
	"github.com/bennu-go/bennu/pubsub"
)

// counter is a subscriber that does next to nothing.
type counter int

func (c *counter) Deliver(*pubsub.Dispatch) { *c++ }

// benchWorld makes a node that does not check, and followers of a topic with so many subscribers.
func benchWorld(b *testing.B, subscribers int) *world {
	w := newWorld(b, 1000, func(o *Options) { o.Check = time.Hour })
	b.Cleanup(w.close)
	if err := w.Subscribe("t", new(counter)).begun(b.Context()); err != nil {
		b.Fatal(err)
	}
	for range subscribers - 1 {
		w.Subscribe("t", new(counter))
	}
	return w
}

// benchMessages makes messages that follow each other.
func benchMessages(n int) []*pubsub.Message {
	payload := []byte(`{"text":"` + strings.Repeat("x", 100) + `"}`)
	list := make([]*pubsub.Message, n)
	for i := range list {
		list[i] = &pubsub.Message{Topic: "t", Event: "said", Payload: payload,
			Place: &pubsub.Place{Epoch: "epoch001", Offset: uint64(i) + 1, Prev: uint64(i)}}
	}
	return list
}

// BenchmarkTake gives an entry to subscribers, or keeps it if there is none.
func BenchmarkTake(b *testing.B) {
	for _, n := range []int{0, 1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := benchWorld(b, max(n, 1))
			f := w.list()[0]
			if n == 0 {
				f.cancel(f.subs[0])
			}
			list := benchMessages(b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for _, m := range list {
				f.Deliver(&pubsub.Dispatch{Message: m})
			}
			b.StopTimer()
			if f.head != uint64(b.N) {
				b.Fatalf("head %d of %d", f.head, b.N)
			}
		})
	}
}

// BenchmarkPubSub is the floor of BenchmarkTake: the same without a follower.
func BenchmarkPubSub(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ps := pubsub.NewLocal()
			for range n {
				ps.Subscribe("t", new(counter))
			}
			list := benchMessages(b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for _, m := range list {
				_ = ps.Broadcast(m)
			}
		})
	}
}

// BenchmarkMemory measures the memory of a follower beside its PubSub subscription, and that of an entry
// beside its payload.
func BenchmarkMemory(b *testing.B) {
	const followers, entries = 20_000, 50_000
	for range b.N {
		w := newWorld(b, entries, func(o *Options) { o.Check = time.Hour })
		w.topic.Bytes = 1 << 30
		before := heaptest.Live()
		subs := make([]*Subscription, followers)
		for i := range subs {
			subs[i] = w.Subscribe(fmt.Sprint("topic:", i), new(counter))
		}
		for _, s := range subs {
			if err := s.begun(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		with := heaptest.Live()
		plain := pubsub.NewLocal()
		for i := range followers {
			plain.Subscribe(fmt.Sprint("topic:", i), new(counter))
		}
		pubsubOnly := heaptest.Live() - with
		b.ReportMetric(float64(with-before-pubsubOnly)/followers, "B/follower")
		b.ReportMetric(float64(reflect.TypeFor[follower]().Size()), "B/struct")

		f := subs[0].follower
		list := benchMessages(entries)
		before = heaptest.Live()
		for _, m := range list {
			f.Deliver(&pubsub.Dispatch{Message: m})
		}
		b.ReportMetric(float64(heaptest.Live()-before)/entries, "B/entry")
		runtime.KeepAlive(list)
		runtime.KeepAlive(plain)
		w.close()
	}
}
