// Command floor is the least that a server of this protocol can do: one thread, one
// epoll, one read for what a client sent and one write for each frame. It checks
// nothing and bounds nothing, so it is of use for nothing but to be
// measured beside a real server, with the same load program on the same machine: what
// it costs is what the system calls cost.
//
//	go run -C measure ./floor -addr 127.0.0.1:4020
//
// A push of the event "echo" is answered with its own payload, one of
// "broadcast" is written to every connection that has joined its topic, any other is
// answered with an empty ok. With -gather all that one read caused is written to a connection at once.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:4020", "where to listen, an IPv4 address and a port")
	gather := flag.Bool("gather", false, "write all frames of one read to a connection at once")
	flag.Parse()
	// It serves until it is killed or fails.
	fmt.Fprintln(os.Stderr, "floor:", serve(*addr, *gather))
	os.Exit(1)
}
