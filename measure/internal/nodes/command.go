// Package nodes measures what it costs to have more than one node: how much later
// a broadcast arrives on another node, what it takes of the publisher's CPU, the broker's
// and the receiver's, what reaches a node that wants none of it, and what a node with
// many topics needs. Every part is a process of its own.
//
//	go run -C measure . nodes -broker nats        # also: embedded, redis
package nodes

import (
	"context"
	"flag"
)

// The commands of the parts.
const (
	Node = "node"
	NATS = "nats"
)

type options struct {
	broker                      string
	rate, seconds, size, topics int
}

// Command is the measurement.
func Command(flags *flag.FlagSet) func(context.Context, []string) error {
	var o options
	flags.StringVar(&o.broker, "broker", "nats", "nats, embedded or redis")
	flags.IntVar(&o.rate, "rate", 20_000, "broadcasts in a second")
	flags.IntVar(&o.seconds, "seconds", 10, "how long to publish")
	flags.IntVar(&o.size, "size", 100, "bytes of a payload")
	flags.IntVar(&o.topics, "topics", 100_000, "topics of the node that has many")
	return func(ctx context.Context, _ []string) error { return measure(ctx, o) }
}
