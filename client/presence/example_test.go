package presence_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/client"
	clientpresence "github.com/bennu-go/bennu/client/presence"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

type user struct {
	Device string `json:"device"`
}

type room struct {
	*bennu.Channel
	here *presence.Presence[user]
	name string
}

type arrived struct{}

func (r *room) arrived(context.Context, arrived) error {
	if err := r.here.PushState(r.Channel); err != nil {
		return err
	}
	_, err := r.here.Track(r.Channel, r.name, user{Device: "phone"})
	return err
}

// server tracks everybody who joins by name.
func server() (url string, stop func()) {
	bus := pubsub.NewLocal()
	here, err := presence.New[user](context.Background(), bus, nil)
	if err != nil {
		return err.Error(), func() {}
	}
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in struct{ Name string }) (*room, bennu.Empty, error) {
		return &room{ch, here, in.Name}, bennu.Empty{}, ch.Send(arrived{})
	})
	bennu.OnInfo(d, (*room).arrived)
	var users bennu.SocketHandler
	users.Channel("room:*", d)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited, PubSub: bus})
	endpoint.Socket("/socket", &users, nil)
	s := httptest.NewServer(endpoint)
	return s.URL + "/socket", func() {
		_ = endpoint.Shutdown(context.Background())
		s.CloseClientConnections()
		s.Close()
		_ = here.Close()
	}
}

func Example() {
	url, stop := server()
	defer stop()
	socket, err := client.Dial(context.Background(), url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer socket.Close()

	ch := socket.Channel("room:lobby", map[string]string{"name": "ada"})
	here := clientpresence.New[user](ch, nil)
	joined := make(chan clientpresence.Change[user], 10)
	synced := make(chan int, 10)
	here.OnJoin(func(c clientpresence.Change[user]) { joined <- c })
	here.OnLeave(func(c clientpresence.Change[user]) { fmt.Println(c.Key, "has left") })
	here.OnSync(func() { synced <- len(here.List()) })
	if _, err := ch.Join(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	c := <-joined
	fmt.Println(c.Key, "is here with a", c.Metas[0].Device)
	fmt.Println(<-synced, "before,", <-synced, "after")
	ada, ok := here.Get("ada")
	fmt.Println(len(ada.Metas), ok)
	// Output:
	// ada is here with a phone
	// 0 before, 1 after
	// 1 true
}
