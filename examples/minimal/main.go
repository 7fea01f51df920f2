// Command minimal is the smallest program with a channel: a client that joins
// "ping:lobby" and pushes "ping" gets the reply {"ping":"pong"}.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/bennu-go/bennu"
)

// ping is the state of one joined topic: there is one for each topic and client.
type ping struct{ *bennu.Channel }

// joinPing is called when a client joins; the nil error lets it in.
func joinPing(ctx context.Context, ch *bennu.Channel, _ bennu.Empty) (*ping, bennu.Empty, error) {
	return &ping{ch}, bennu.Empty{}, nil
}

type pong struct {
	Ping string `json:"ping"`
}

// ping returns the reply to the client.
func (p *ping) ping(ctx context.Context, _ bennu.Empty) (pong, error) { return pong{"pong"}, nil }

func newEndpoint() *bennu.Endpoint {
	pings := bennu.Define(joinPing)
	bennu.On(pings, "ping", (*ping).ping)

	var users bennu.SocketHandler // the zero value accepts everyone
	users.Channel("ping:*", pings)

	endpoint := bennu.NewEndpoint(nil)
	endpoint.Socket("/socket", &users, nil)
	return endpoint
}

func main() {
	log.Fatal(http.ListenAndServe(":4000", newEndpoint()))
}
