//go:build !nobrokers

package demo

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/redishistory"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
	"github.com/bennu-go/bennu/pubsub/redispubsub"
)

// adapter makes the adapter for a node with a name, or returns nil if the node is the only one.
func (c *cluster) adapter(node string, log *slog.Logger) (pubsub.Adapter, error) {
	switch c.scheme {
	case inMemory:
		return nil, nil
	case embedded:
		return natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{Node: node, Listen: c.listen, Peers: c.peers, Secret: c.secret, Logger: log})
	case "redis", "rediss":
		return redispubsub.New(&redispubsub.Options{Node: node, URL: c.url, Secret: c.secret, Logger: log})
	}
	return natspubsub.New(&natspubsub.Options{Node: node, URL: c.url, Secret: c.secret, Logger: log})
}

// store connects to the store of histories that the nodes share, or returns nil if there is none.
func (c *cluster) store(ctx context.Context) (history.Store, error) {
	switch c.scheme {
	case "redis", "rediss":
		return redishistory.New(ctx, &redishistory.Options{URL: c.url})
	}
	return nil, nil
}
