// Command measure holds the measurements behind the figures in the documentation. Each is a
// command of its own, and takes flags that -h lists:
//
//	go run -C measure . memory -connections 10000
//
// Nothing else should run on the machine. What is measured is a program of its own, as is what
// draws the pictures; a measurement builds those that it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/bennu-go/bennu/measure/internal/bench"
	"github.com/bennu-go/bennu/measure/internal/memory"
	"github.com/bennu-go/bennu/measure/internal/nodes"
	"github.com/bennu-go/bennu/measure/internal/presences"
	"github.com/bennu-go/bennu/measure/internal/replay"
)

// A command is a measurement, or a part of one that runs as a process of its own.
type command struct {
	name, does string
	// set adds the command's flags to a set, and returns what runs it when they are parsed.
	set func(*flag.FlagSet) func(ctx context.Context, args []string) error
}

var measurements = []command{
	{"bench", "the goals, beside the floor; writes docs/benchmarks.md", bench.Command},
	{"memory", "resident memory of a server with many joined connections", memory.ServerCommand},
	{"clientmemory", "resident memory of a process with many Go clients", memory.ClientsCommand},
	{"nodes", "what it costs to have more than one node", nodes.Command},
	{"presences", "what a topic with very many presences costs a node", presences.Command},
	{"replay", "what it costs when many clients come back at once, and have missed much", replay.Command},
}

// parts are started by measurements.
var parts = []command{
	{nodes.Node, "a node of nodes", nodes.NodeCommand},
	{nodes.NATS, "the broker of nodes", nodes.NATSCommand},
	{replay.Server, "the server of replay", replay.ServerCommand},
	{replay.Crowd, "the clients of replay", replay.CrowdCommand},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second one ends it at once
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, help io.Writer) error {
	if len(args) == 0 {
		usage(help)
		return errors.New("which measurement?")
	}
	for _, c := range append(measurements, parts...) {
		if c.name != args[0] {
			continue
		}
		flags := flag.NewFlagSet("measure "+c.name, flag.ContinueOnError)
		flags.SetOutput(help)
		run := c.set(flags)
		if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
			return nil
		} else if err != nil {
			return err
		}
		return run(ctx, flags.Args())
	}
	usage(help)
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return nil
	}
	return fmt.Errorf("there is no measurement %q", args[0])
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: go run -C measure . MEASUREMENT [flags]\n\n")
	for _, c := range measurements {
		fmt.Fprintf(w, "  %-13s %s\n", c.name, c.does)
	}
	fmt.Fprintln(w)
}
