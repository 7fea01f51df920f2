package bennu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// keptOrders is an endpoint with a history of the topics orders:*.
func keptOrders(ctx context.Context) (*bennu.Endpoint, error) {
	ps := pubsub.NewLocal()
	log, err := history.New(ctx, ps, &history.Options{Topics: []history.Topic{{Pattern: "orders:*"}}})
	if err != nil {
		return nil, err
	}
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{
		PubSub: ps, History: log, Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited,
	})
	endpoint.OnShutdown(ps.Close)
	endpoint.OnShutdown(log.Close)
	return endpoint, nil
}

// A worker that does not know whether its first try has succeeded tries again with the same key.
func ExampleEndpoint_Publish() {
	ctx := context.Background()
	endpoint, err := keptOrders(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer endpoint.Shutdown(ctx)

	paid := map[string]int{"order": 17}
	first, err := endpoint.Publish(ctx, "orders:ann", "paid", paid, bennu.Key("order-17-paid"))
	if err != nil {
		fmt.Println(err)
	}
	again, err := endpoint.Publish(ctx, "orders:ann", "paid", paid, bennu.Key("order-17-paid"))
	if err != nil {
		fmt.Println(err)
	}
	page, err := endpoint.History(ctx, "orders:ann", nil)
	fmt.Println("the same message:", first == again)
	fmt.Println("published:", len(page.Messages), err)
	// Output:
	// the same message: true
	// published: 1 <nil>
}

// A program that computes each state from the last one publishes it only if no other has followed that
// meanwhile. Head is right also when no message is there yet, or none any more.
func ExampleAfter() {
	ctx := context.Background()
	endpoint, err := keptOrders(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer endpoint.Shutdown(ctx)

	type total struct {
		Cents int `json:"cents"`
	}
	add := func(cents int) error {
		for {
			page, err := endpoint.History(ctx, "orders:total", &history.Query{Last: 1})
			if err != nil {
				return err
			}
			var t total
			for _, m := range page.Messages { // one, or none
				if err := json.Unmarshal(m.Payload, &t); err != nil {
					return err
				}
			}
			t.Cents += cents
			_, err = endpoint.Publish(ctx, "orders:total", "total", t, bennu.After(page.Head))
			if !errors.Is(err, history.ErrConflict) {
				return err
			}
		}
	}
	fmt.Println(add(5), add(7))
	page, err := endpoint.History(ctx, "orders:total", &history.Query{Last: 1})
	fmt.Printf("%s %v\n", page.Messages[0].Payload, err)
	// Output:
	// <nil> <nil>
	// {"cents":12} <nil>
}

// An intercepted broadcast is sent on with a payload for this client alone, and keeps its offset.
func ExampleForward() {
	type message struct {
		Body string `json:"body"`
	}
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, nil
	})
	bennu.Intercept(rooms, "said", func(ch *bennu.Channel, ctx context.Context, m message) error {
		if m.Body == "spam" {
			return nil // this client does not get it, now or when it is replayed
		}
		return bennu.Forward(ctx, map[string]string{"body": m.Body, "in": ch.Topic()})
	})
	bennu.On(rooms, "say", func(ch *bennu.Channel, _ context.Context, m message) (bennu.NoReply, error) {
		return bennu.NoReply{}, ch.Broadcast("said", m)
	})
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	talk(&users,
		`["1","1","room:a","phx_join",{}]`,
		"<-",
		`["1","2","room:a","say",{"body":"spam"}]`,
		`["1","3","room:a","say",{"body":"hello"}]`,
		"<-",
	)
	// Output:
	// ["1","1","room:a","phx_reply",{"response":{},"status":"ok"}]
	// ["1",null,"room:a","said",{"body":"hello","in":"room:a"}]
}
