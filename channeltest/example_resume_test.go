package channeltest_test

import (
	"context"
	"fmt"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// newKeptChat is an endpoint whose chats have a history.
func newKeptChat(ctx context.Context) (*bennu.Endpoint, error) {
	ps := pubsub.NewLocal()
	log, err := history.New(ctx, ps, &history.Options{Topics: []history.Topic{{Pattern: "chat:*"}}})
	if err != nil {
		return nil, err
	}
	var users bennu.SocketHandler
	users.Channel("chat:*", bennu.Define(joinChat))
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log})
	endpoint.OnShutdown(ps.Close)
	endpoint.OnShutdown(log.Close)
	endpoint.Socket("/socket", &users, nil)
	return endpoint, nil
}

// A client whose connection was cut gets what it has missed.
func ExampleChannel_Rejoin() {
	t := newExample()
	defer t.end()

	chats, err := newKeptChat(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
	}
	endpoint := channeltest.Start(t, chats)
	client := endpoint.Connect(t, nil)
	chat := client.Join(t, "chat:1", map[string]any{"name": "ann", "since": nil})
	fmt.Println(chat.ExpectResumed(t, "new").Status)

	client.Cut(t)
	for _, body := range []string{"are you there?", "hello?"} {
		if err := endpoint.Broadcast("chat:1", "said", line{"bob", body}); err != nil {
			t.Errorf("%v", err)
		}
	}
	chat = chat.Rejoin(t)
	fmt.Println(chat.ExpectResumed(t, "recovered").Status)
	fmt.Println(channeltest.ExpectPush[line](t, chat, "said").Body)
	fmt.Println(channeltest.ExpectPush[line](t, chat, "said").Body)
	fmt.Println(chat.ExpectResumed(t, "live").Count, "came back")
	// Output:
	// new
	// recovered
	// are you there?
	// hello?
	// 2 came back
}
