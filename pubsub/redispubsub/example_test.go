package redispubsub_test

import (
	"context"
	"crypto/tls"
	"log"
	"os"
	"time"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/redispubsub"
)

func Example() {
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := redispubsub.New(&redispubsub.Options{
		Node:   host,
		URL:    os.Getenv("REDIS_URL"), // redis://user:password@host:6379
		Secret: []byte(os.Getenv("PUBSUB_SECRET")),
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
	if err != nil {
		log.Fatal(err) // such as a wrong password
	}
	defer ps.Close(context.Background())
}

func ExampleNew_sentinel() {
	_, _ = redispubsub.New(&redispubsub.Options{
		Node:       "node-1",
		Addrs:      []string{"sentinel-1:26379", "sentinel-2:26379", "sentinel-3:26379"},
		MasterName: "mymaster",
		Password:   os.Getenv("REDIS_PASSWORD"),
	})
}

func ExampleNew_cluster() {
	_, _ = redispubsub.New(&redispubsub.Options{
		Node:     "node-1",
		Addrs:    []string{"redis-1:6379", "redis-2:6379"}, // they know the others
		Cluster:  true,
		Username: "bennu",
		Password: os.Getenv("REDIS_PASSWORD"),
		TLS:      &tls.Config{MinVersion: tls.VersionTLS13},
	})
}
