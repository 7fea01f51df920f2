// Command history serves topics whose broadcasts are kept, so that a client whose connection was cut
// gets what it has missed:
//
//   - "room:<name>" is a chat room. Clients can page through what was said before they came.
//   - "price:<name>" has a price. Who joins gets the newest one.
//   - "note:<name>" is a text that several write, and no one overwrites another's unseen.
//   - "inbox:<user>" has messages for one user, and knows how far they are read.
//
// docs/history.md explains it.
package main

import (
	"context"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// newEndpoint makes the endpoint, with its PubSub and the history of its topics. Its Shutdown closes
// them, too.
func newEndpoint(ctx context.Context, logger *slog.Logger) (*bennu.Endpoint, error) {
	ps := pubsub.NewLocal()
	keep, err := history.New(ctx, ps, &history.Options{ // without a Store it is in memory, for one node
		Topics: []history.Topic{
			{Pattern: "room:*", Size: 1000, Age: time.Hour},
			{Pattern: "price:*", Size: 1, Rewind: 1},
			{Pattern: "note:*", Size: 1, Rewind: 1, Age: 24 * time.Hour},
			{Pattern: "inbox:*", Size: 500, Age: 7 * 24 * time.Hour},
		},
		Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: keep, Logger: logger})
	endpoint.OnShutdown(ps.Close)
	endpoint.OnShutdown(keep.Close) // before the PubSub: the last one registered runs first

	var users bennu.SocketHandler
	users.Channel("room:*", rooms())
	users.Channel("price:*", prices())
	users.Channel("note:*", notes())
	users.Channel("inbox:*", (&inboxes{read: map[string]history.Offset{}}).channels())
	endpoint.Socket("/socket", &users, nil)
	return endpoint, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	endpoint, err := newEndpoint(ctx, slog.Default())
	if err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:4000")
	if err != nil {
		log.Fatal(err)
	}
	go quote(ctx, endpoint, time.Second)
	if err := endpoint.Serve(ctx, ln); err != nil {
		log.Fatal(err)
	}
}
