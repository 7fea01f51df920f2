package natspubsub_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
)

// A NATS server that runs already, with the credentials of a user.
func ExampleNew() {
	host, _ := os.Hostname()
	adapter, err := natspubsub.New(&natspubsub.Options{
		Node:            host,
		URL:             "tls://nats-1.internal:4222,tls://nats-2.internal:4222",
		CredentialsFile: "/run/secrets/nats.creds",
	})
	if err != nil {
		log.Fatal(err)
	}
	ps, err := pubsub.New(context.Background(), &pubsub.Options{Adapter: adapter})
	if err != nil {
		log.Fatal(err) // the error says what is wrong with the address or the credentials
	}
	defer ps.Close(context.Background())
	// endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps})
}

// hear is a subscriber.
type hear chan string

func (h hear) Deliver(d *pubsub.Dispatch) { h <- d.Topic + " " + d.Event }

// Two nodes that need no other service; here in one process, as in a test.
func ExampleNewEmbedded() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
	one, err := natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{Node: "one", Listen: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		log.Fatal(err)
	}
	a, err := pubsub.New(ctx, &pubsub.Options{Adapter: one})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close(ctx)

	two, err := natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{
		Node: "two", Listen: "127.0.0.1:0", Logger: quiet,
		Peers: []string{one.Addr().String()}, // or one DNS name of all nodes
	})
	if err != nil {
		log.Fatal(err)
	}
	b, err := pubsub.New(ctx, &pubsub.Options{Adapter: two})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close(ctx)

	heard := make(hear, 1)
	sub := b.Subscribe("room:1", heard)
	<-sub.Ready() // from now on no broadcast of any node is missed
	if err := a.Broadcast(&pubsub.Message{Topic: "room:1", Event: "shout", Payload: []byte("{}")}); err != nil {
		log.Fatal(err)
	}
	select {
	case said := <-heard:
		fmt.Println(said)
	case <-ctx.Done():
		fmt.Println(ctx.Err())
	}
	// Output: room:1 shout
}
