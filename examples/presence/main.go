// Command presence serves rooms that show who is in them: "room:<name>" tracks everybody
// who joins, with a device and a status, and sends the changes to all. With the stock client:
//
//	const socket = new Socket("ws://localhost:4000/socket", {params: {user: "ann"}})
//	const channel = socket.channel("room:lobby", {device: "phone"})
//	const presence = new Presence(channel)
//	presence.onSync(() => show(presence.list((user, {metas}) => [user, metas.map(m => m.status)])))
//	channel.on("came", ({user}) => note(`${user} came`))
//	channel.on("left", ({user}) => note(`${user} left`))
//	socket.connect()
//	channel.join()
//	channel.push("status", {status: "typing"})
//
// A user with several tabs or phones is one person with several metas.
package main

import (
	"context"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// newEndpoint makes the endpoint, with its PubSub and presence. Its Shutdown closes them, too.
func newEndpoint(ctx context.Context, logger *slog.Logger) (*bennu.Endpoint, error) {
	ps := pubsub.NewLocal() // with an adapter, nodes show each other's users; nothing else changes
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, Logger: logger, DrainTime: bennu.Unlimited})
	endpoint.OnShutdown(ps.Close)

	// First and Last are called on every node, so each node tells its own clients.
	tell := func(event string) func(topic, user string) {
		return func(topic, user string) {
			if err := endpoint.LocalBroadcast(topic, event, person{user}); err != nil {
				logger.Error("nobody was told", "event", event, "error", err)
			}
		}
	}
	here, err := presence.New(ctx, ps, &presence.Options[seat]{
		Logger: logger,
		First:  tell("came"),
		Last:   tell("left"),
	})
	if err != nil {
		return nil, err
	}
	// Functions are called last to first, so this closes before the PubSub.
	endpoint.OnShutdown(func(context.Context) error { return here.Close() })

	users := bennu.SocketHandler{Connect: connect}
	users.Channel("room:*", rooms(here))
	endpoint.Socket("/socket", &users, nil)
	return endpoint, nil
}

// connect accepts clients that send a user name. A real program takes the name from a token
// that it has verified.
func connect(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
	user, _ := info.Params.String("user")
	if user == "" || len(user) > 64 {
		return bennu.ErrRefused
	}
	s.Assign("user", user)
	return nil
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
	if err := endpoint.Serve(ctx, ln); err != nil {
		log.Fatal(err)
	}
}
