package redishistory_test

import (
	"context"
	"fmt"
	"os"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/redishistory"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/redispubsub"
)

// newEndpoint makes the endpoint of one of several nodes. Redis connects them, and keeps the topics.
func newEndpoint(ctx context.Context, node, url string, topics []history.Topic) (*bennu.Endpoint, error) {
	adapter, err := redispubsub.New(&redispubsub.Options{Node: node, URL: url})
	if err != nil {
		return nil, err
	}
	ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
	if err != nil {
		return nil, err
	}
	store, err := redishistory.New(ctx, &redishistory.Options{URL: url})
	if err != nil {
		return nil, err
	}
	keep, err := history.New(ctx, ps, &history.Options{Store: store, Topics: topics})
	if err != nil {
		return nil, err
	}
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: keep})
	endpoint.OnShutdown(ps.Close)
	endpoint.OnShutdown(keep.Close) // it closes the store
	return endpoint, nil
}

// Several nodes share a history in the Redis that connects them.
func Example() {
	ctx := context.Background()
	endpoint, err := newEndpoint(ctx, "node-1", os.Getenv("REDIS_URL"), []history.Topic{{Pattern: "room:*", Size: 1000}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer endpoint.Shutdown(ctx)
}
