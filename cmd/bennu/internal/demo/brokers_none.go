//go:build nobrokers

package demo

import (
	"context"
	"errors"
	"log/slog"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// adapter returns an error for every broker: a demo without brokers compiles in a third of the time.
func (c *cluster) adapter(string, *slog.Logger) (pubsub.Adapter, error) {
	if c.scheme == inMemory {
		return nil, nil
	}
	return nil, errors.New("this command was built without NATS and Redis; leave -tags nobrokers out")
}

// store returns nil: there are no nodes that could share one.
func (c *cluster) store(context.Context) (history.Store, error) { return nil, nil }
