// Command nodes measures what it costs to have more than one node: how much later
// a broadcast arrives on another node, what it takes of the publisher's CPU, the broker's
// and the receiver's, what reaches a node that wants none of it, and what a node with
// many topics needs. Every part is a process of its own.
//
//	go run ./test/nodes -broker nats        # also: embedded, redis
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	var o options
	role := flag.String("role", "", "be a part; for the program's own use")
	flag.StringVar(&o.broker, "broker", "nats", "nats, embedded or redis")
	flag.IntVar(&o.rate, "rate", 20_000, "broadcasts in a second")
	flag.IntVar(&o.seconds, "seconds", 10, "how long to publish")
	flag.IntVar(&o.size, "size", 100, "bytes of a payload")
	flag.IntVar(&o.topics, "topics", 100_000, "topics of the node that has many")
	flag.Parse()
	var err error
	switch *role {
	case "":
		err = measure(o)
	case "node":
		err = runNode(flag.Args())
	case "nats":
		err = runNATS(flag.Args())
	default:
		err = fmt.Errorf("there is no role %q", *role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

type options struct {
	broker                      string
	rate, seconds, size, topics int
}
