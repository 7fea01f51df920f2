// Command mounting is an application with routes, middleware and a server of its own. An
// endpoint is one of its handlers. docs/mounting.md explains it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// newEndpoint makes an endpoint with a socket at path, which is the whole path of the
// requests, with the prefix of a router above it.
func newEndpoint(path string) *bennu.Endpoint {
	room := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, nil
	})
	bennu.On(room, "echo", func(_ *bennu.Channel, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	var users bennu.SocketHandler
	users.Channel("room:*", room)

	endpoint := bennu.NewEndpoint(nil)
	endpoint.Socket(path, &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})
	return endpoint
}

// newMux has the application's routes. One of them is the endpoint.
func newMux(endpoint http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "the application's own page")
	})
	mux.Handle("/socket/", endpoint) // the slash and all methods are needed
	return mux
}

// serve runs the application's own server until ctx ends. Then it gives connections and
// requests up to 40 s to end.
func serve(ctx context.Context, ln net.Listener, endpoint *bennu.Endpoint, h http.Handler) error {
	server := endpoint.Server() // an http.Server with limits that fit
	server.Handler = h
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	var failed error
	select {
	case failed = <-served:
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 40*time.Second)
	defer cancel()
	// The endpoint is first: Server.Shutdown does not close WebSockets, and would wait for
	// each poll. The application's own routes are still served meanwhile.
	drained := endpoint.Shutdown(grace)
	return errors.Join(failed, drained, server.Shutdown(grace))
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	ln, err := net.Listen("tcp", "127.0.0.1:4000")
	if err != nil {
		log.Fatal(err)
	}
	log.Print("serving http://", ln.Addr())
	endpoint := newEndpoint("/socket")
	if err := serve(ctx, ln, endpoint, logged(newMux(endpoint))); err != nil {
		log.Fatal(err)
	}
}
