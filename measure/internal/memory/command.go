// Package memory measures resident memory: what a joined connection costs a server, and what
// a Go client costs its process. Server and clients are programs of their own.
//
//	go run -C measure . memory -connections 10000
//	go run -C measure . memory -connections 10000 -no-epoll
//	go run -C measure . clientmemory -clients 10000
package memory

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/bennu-go/bennu/measure/internal/part"
)

// ServerCommand measures what a joined connection costs a server process.
func ServerCommand(flags *flag.FlagSet) func(context.Context, []string) error {
	n := flags.Int("connections", 10_000, "how many connections to open; the file limit must allow as many")
	noEpoll := flags.Bool("no-epoll", false, "give every connection a goroutine, as with TLS and on other systems")
	return func(ctx context.Context, _ []string) error {
		room, addr, err := start(ctx, "./room", fmt.Sprintf("-no-epoll=%v", *noEpoll))
		if err != nil {
			return err
		}
		defer room.Stop()
		c := &conns{addr: addr}
		defer c.close()
		r, err := measure(room, *n, "connection", c.join, c.traffic)
		if err != nil {
			return err
		}
		r.print(os.Stdout, "server", "connection", *n)
		return nil
	}
}

// ClientsCommand measures what a socket of package client costs, with one channel and one
// callback.
func ClientsCommand(flags *flag.FlagSet) func(context.Context, []string) error {
	n := flags.Int("clients", 10_000, "how many clients to run; the file limit must allow as many")
	return func(ctx context.Context, _ []string) error {
		room, addr, err := start(ctx, "./room")
		if err != nil {
			return err
		}
		defer room.Stop()
		crowd, _, err := start(ctx, "./crowd", addr)
		if err != nil {
			return err
		}
		defer crowd.Kill()
		tell := func(command string) func() error {
			return func() error {
				_, err := crowd.Ask("%s", command)
				return err
			}
		}
		r, err := measure(crowd, *n, "client", tell("join"), tell("traffic"))
		if err != nil {
			return err
		}
		goroutines, err := crowd.Number("collect")
		if err != nil {
			return err
		}
		r.print(os.Stdout, "process", "client", *n)
		fmt.Printf("%d goroutines, %.1f per client\n", goroutines, float64(goroutines)/float64(*n))
		return nil
	}
}

// start builds and starts a program of this module that prints a line when it is ready.
func start(ctx context.Context, pkg string, args ...string) (p *part.Process, said string, err error) {
	dir, err := os.MkdirTemp("", "memory")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir) // a program that runs keeps its file
	program, err := part.Build(ctx, dir, part.Measure, pkg)
	if err != nil {
		return nil, "", err
	}
	return part.StartSaying(ctx, program, args...)
}
