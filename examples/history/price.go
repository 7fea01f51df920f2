package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu"
)

// prices is a channel that only listens. The topic keeps one message and has Rewind 1, so a client that
// joins gets the newest price, and one that was cut gets it if it has another one.
func prices() bennu.ChannelHandler {
	return bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, nil
	})
}

type price struct {
	Cents int `json:"cents"`
}

// quote publishes a price at each tick until ctx ends.
func quote(ctx context.Context, endpoint *bennu.Endpoint, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for cents := 100; ; cents++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := endpoint.Broadcast("price:lapis", "price", price{cents}); err != nil {
			slog.Error("nobody was told the price", "error", err)
		}
	}
}
