package redispubsub

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/test/replay"
)

// TestReplay lets a stranger publish recorded messages again.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
	defer cancel()
	sub := client.PSubscribe(ctx, "bennu.*")
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	var tape replay.Tape
	var again sync.Map // messages that are published again, which are not recorded
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for m := range sub.Channel(redis.WithChannelSize(100_000)) {
			if _, known := again.Load(m.Payload); !known {
				tape.Add(m.Channel, []byte(m.Payload))
			}
		}
	}()
	replay.Run(t, func(t testing.TB, name string) pubsub.Adapter {
		// A server that does not answer for a while on a busy machine must not count as lost.
		return adapter(t, Options{Node: name, URL: "redis://" + s.Addr, Secret: replay.Secret, Probe: time.Minute})
	}, &tape, func(channel string, data []byte) {
		again.Store(string(data), true)
		if err := client.Publish(ctx, channel, data).Err(); err != nil {
			t.Error(err)
		}
	})
	_ = sub.Close()
	waittest.Next(t, "the recorder ends", stopped)
}
