// Command room is the server of the measurements memory and clientmemory: an echo, and a
// broadcast to a topic that all share. It prints its address, and collects its garbage at
// each line that it reads.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/measure/internal/part"
)

func main() {
	noEpoll := flag.Bool("no-epoll", false, "give every connection a goroutine, as with TLS and on other systems")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *noEpoll); err != nil {
		fmt.Fprintln(os.Stderr, "room:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, noEpoll bool) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	go part.Answer(os.Stdin, func(string) (string, error) {
		debug.FreeOSMemory()
		return "collected", nil
	})
	return newRoom(noEpoll).Serve(ctx, ln)
}

type echo struct{}

// newRoom answers echoes and passes on broadcasts.
func newRoom(noEpoll bool) (e *bennu.Endpoint) {
	d := bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (echo, bennu.Empty, error) {
		return echo{}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", func(_ echo, _ context.Context, in bennu.Raw) (bennu.Raw, error) { return in, nil })
	bennu.On(d, "broadcast", func(_ echo, _ context.Context, in bennu.Raw) (bennu.Empty, error) {
		return bennu.Empty{}, e.Broadcast("room:all", "news", in)
	})
	var users bennu.SocketHandler
	users.Channel("room:*", d)
	e = bennu.NewEndpoint(&bennu.EndpointOptions{DrainTime: bennu.Unlimited, NoEpoll: noEpoll})
	e.Socket("/socket", &users, nil)
	return e
}
