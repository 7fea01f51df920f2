package redishistory

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/proc"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/pubsub"
)

// quiet is a subscriber that gets nothing.
type quiet struct{}

func (*quiet) Deliver(*pubsub.Dispatch) {}

// BenchmarkCheck follows 100,000 topics, and compares the heads of all with the store once a second. It
// reports the CPU of that as the share of one processor that it takes with the default Check of 30 s: of
// this process, and of Redis.
func BenchmarkCheck(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		benchmarkCheck(b, &history.Options{}, func() time.Duration { return 0 })
	})
	b.Run("redis", func(b *testing.B) {
		s := redistest.Start(b)
		benchmarkCheck(b, &history.Options{Store: start(b, Options{Addrs: []string{s.Addr}})}, func() time.Duration { return processor(b, s) })
	})
}

func benchmarkCheck(b *testing.B, o *history.Options, broker func() time.Duration) {
	const topics, least = 100_000, 5 * time.Second
	o.Check, o.Topics = time.Second, []history.Topic{{Pattern: "*"}}
	log, err := history.New(b.Context(), pubsub.NewLocal(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close(context.Background())
	kept := follow.Of(log)
	var workers sync.WaitGroup
	for w := range 64 {
		workers.Go(func() {
			for i := w; i < topics; i += 64 {
				topic := fmt.Sprint("topic:", i)
				m := &pubsub.Message{Topic: topic, Event: "said", Payload: []byte("{}")}
				if _, err := kept.Publish(b.Context(), m, follow.PublishOptions{}); err != nil {
					b.Error(err)
					return
				}
				if ready := kept.Followers().Subscribe(topic, new(quiet)).Ready(); ready != nil {
					<-ready
				}
			}
		})
	}
	workers.Wait()
	time.Sleep(2 * time.Second) // what begins has begun
	began, used, there := time.Now(), cpu(b), broker()
	for b.Loop() {
		time.Sleep(least)
	}
	rounds := time.Since(began).Seconds() / o.Check.Seconds()
	share := func(d time.Duration) float64 { return d.Seconds() / rounds / 30 * 100 }
	b.ReportMetric(share(cpu(b)-used), "%core@30s")
	b.ReportMetric(share(broker()-there), "%broker@30s")
	b.ReportMetric(0, "ns/op")
}

// cpu returns what this process has used of the processors.
func cpu(b *testing.B) time.Duration {
	d, err := proc.CPU(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	return d
}
