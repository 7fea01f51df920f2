// Package replay measures a rejoin of many clients at once that have all missed messages of one
// topic: what a message costs the server, how much memory it needs meanwhile, how often it reads the
// store, and how late the broadcasts of another topic arrive. The server and the clients are
// processes of their own.
//
//	go run -C measure . replay -clients 10000 -messages 1000
package replay

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/bennu-go/bennu/measure/internal/part"
)

// The commands of the parts.
const (
	Server = "replayserver"
	Crowd  = "replaycrowd"
)

// The topics.
const (
	missed = "missed:all" // whose messages the clients have missed
	live   = "live:all"   // whose broadcasts go on
)

// tick is the time between two broadcasts of the live topic.
const tick = 5 * time.Millisecond

// Command is the measurement.
func Command(flags *flag.FlagSet) func(context.Context, []string) error {
	clients := flags.Int("clients", 10_000, "how many clients to run; the file limit must allow as many")
	messages := flags.Int("messages", 1000, "how many messages each of them has missed")
	return func(ctx context.Context, _ []string) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		return measure(ctx, *clients, *messages)
	}
}

func measure(ctx context.Context, clients, messages int) error {
	server, addr, err := part.Self(ctx, Server)
	if err != nil {
		return err
	}
	defer server.Kill()
	crowd, _, err := part.Self(ctx, Crowd, addr)
	if err != nil {
		return err
	}
	defer crowd.Kill()
	position, err := server.Ask("publish %d", messages)
	if err != nil {
		return err
	}
	if _, err := crowd.Ask("connect %d", clients); err != nil {
		return err
	}
	hearers, err := hear(addr)
	if err != nil {
		return err
	}
	idle, err := server.Number("watch")
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	alone := hearers.times()

	serverCPU, crowdCPU, err := cpus(server, crowd)
	if err != nil {
		return err
	}
	began := time.Now()
	said, err := crowd.Ask("join %s %d", position, messages)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if said != "all" {
		return fmt.Errorf("the clients: %s", said)
	}
	serverNow, crowdNow, err := cpus(server, crowd)
	if err != nil {
		return err
	}
	meanwhile := hearers.times()
	var seen sight
	if err := seen.ask(server); err != nil {
		return err
	}

	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(clients*messages) }
	fmt.Printf("%d clients have each missed %d messages of one topic, and have them after %v\n", clients, messages, took.Round(time.Millisecond))
	fmt.Printf("  CPU of a message:            server %.2f µs, clients %.2f µs\n", each(serverNow-serverCPU), each(crowdNow-crowdCPU))
	fmt.Printf("  pages read from the store:   %d\n", seen.Reads)
	fmt.Printf("  live heap above the idle one: %.1f MiB at most, idle %.1f MiB; with garbage %.1f MiB more than idle\n", mib(seen.Live-idle), mib(idle), mib(seen.Objects-idle))
	fmt.Printf("  another topic, before:       %s\n", alone)
	fmt.Printf("  another topic, meanwhile:    %s\n", meanwhile)
	return nil
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }

// cpus returns what both parts have used.
func cpus(server, crowd *part.Process) (s, c time.Duration, err error) {
	if s, err = server.CPU(); err == nil {
		c, err = crowd.CPU()
	}
	return s, c, err
}
