package history_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/pubsub"
)

// nobody is a subscriber that does nothing.
type nobody struct{}

func (*nobody) Deliver(*pubsub.Dispatch) {}

// BenchmarkPublish is a broadcast on a kept topic with the default store, beside one on a topic that
// is not kept. The subscribers do nothing.
func BenchmarkPublish(b *testing.B) {
	payload := []byte(`{"body":"hello"}`)
	for _, subscribers := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("subscribers=%d/plain", subscribers), func(b *testing.B) {
			ps := pubsub.NewLocal()
			for range subscribers {
				ps.Subscribe("t", new(nobody))
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = ps.Broadcast(&pubsub.Message{Topic: "t", Event: "e", Payload: payload})
			}
		})
		b.Run(fmt.Sprintf("subscribers=%d/kept", subscribers), func(b *testing.B) {
			n := start(b, &history.Options{})
			in := n.inside()
			for range subscribers {
				in.Followers().Subscribe("t", new(nobody))
			}
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := in.Publish(ctx, &pubsub.Message{Topic: "t", Event: "e", Payload: payload}, follow.PublishOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPublishTopics publishes to as many topics as there are processors, and more, from all of
// them.
func BenchmarkPublishTopics(b *testing.B) {
	payload := []byte(`{"body":"hello"}`)
	topics := make([]string, 1024)
	for i := range topics {
		topics[i] = fmt.Sprint("t", i)
	}
	b.Run("plain", func(b *testing.B) {
		ps := pubsub.NewLocal()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				_ = ps.Broadcast(&pubsub.Message{Topic: topics[i%len(topics)], Event: "e", Payload: payload})
			}
		})
	})
	b.Run("kept", func(b *testing.B) {
		in := start(b, &history.Options{}).inside()
		ctx := context.Background()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				_, _ = in.Publish(ctx, &pubsub.Message{Topic: topics[i%len(topics)], Event: "e", Payload: payload}, follow.PublishOptions{})
			}
		})
	})
}
