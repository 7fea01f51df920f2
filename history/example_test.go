package history_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// newEndpoint makes an endpoint with a history of some topics. Its Shutdown closes everything.
func newEndpoint(ctx context.Context, topics ...history.Topic) (*bennu.Endpoint, error) {
	ps := pubsub.NewLocal()
	log, err := history.New(ctx, ps, &history.Options{Topics: topics})
	if err != nil {
		return nil, err
	}
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log})
	endpoint.OnShutdown(ps.Close)
	endpoint.OnShutdown(log.Close)
	return endpoint, nil
}

// said is the payload of the broadcasts of these examples.
type said struct {
	Body string `json:"body"`
}

// The broadcasts of a topic are kept, and can be read.
func Example() {
	ctx := context.Background()
	endpoint, err := newEndpoint(ctx, history.Topic{Pattern: "room:*", Size: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer endpoint.Shutdown(ctx)

	for _, body := range []string{"one", "two", "three"} {
		if err := endpoint.Broadcast("room:1", "said", said{body}); err != nil {
			fmt.Println(err)
		}
	}
	page, err := endpoint.History(ctx, "room:1", &history.Query{Last: 2})
	for _, m := range page.Messages {
		fmt.Println(m.Event, string(m.Payload))
	}
	fmt.Println("older ones:", page.More, err)
	// Output:
	// said {"body":"two"}
	// said {"body":"three"}
	// older ones: true <nil>
}

// From the newest message back, in pages.
func ExampleQuery() {
	ctx := context.Background()
	endpoint, err := newEndpoint(ctx, history.Topic{Pattern: "room:*"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer endpoint.Shutdown(ctx)
	for _, body := range []string{"one", "two", "three", "four", "five"} {
		if err := endpoint.Broadcast("room:1", "said", said{body}); err != nil {
			fmt.Println(err)
		}
	}

	for q, more := (&history.Query{Last: 2}), true; more; {
		page, err := endpoint.History(ctx, "room:1", q)
		if err != nil || len(page.Messages) == 0 {
			fmt.Println(err)
			return
		}
		for _, m := range page.Messages { // oldest first
			fmt.Println(string(m.Payload))
		}
		fmt.Println("older ones:", page.More)
		q, more = &history.Query{Before: page.Messages[0].Offset, Limit: 2}, page.More
	}
	// Output:
	// {"body":"four"}
	// {"body":"five"}
	// older ones: true
	// {"body":"two"}
	// {"body":"three"}
	// older ones: true
	// {"body":"one"}
	// older ones: false
}

// Two programs change one value, and the second one notices that it has not seen the change of the
// first.
func ExampleConflict() {
	ctx := context.Background()
	endpoint, err := newEndpoint(ctx, history.Topic{Pattern: "seat:*", Size: 1, Rewind: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer endpoint.Shutdown(ctx)

	take := func(who string) {
		var nobody history.Offset // before the first message
		_, err := endpoint.Publish(ctx, "seat:12a", "taken", said{who}, bennu.After(nobody))
		var conflict *history.Conflict
		if errors.As(err, &conflict) {
			page, err := endpoint.History(ctx, "seat:12a", nil)
			fmt.Println(who, "is too late:", string(page.Messages[0].Payload), page.Head == conflict.Head, err)
			return
		}
		fmt.Println(who, "has it:", err)
	}
	take("ann")
	take("bob")
	// Output:
	// ann has it: <nil>
	// bob is too late: {"body":"ann"} true <nil>
}
