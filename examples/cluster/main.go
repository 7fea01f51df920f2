// Command cluster is one node of several that share their channels, behind a load
// balancer without sticky sessions. It needs no other service: each node runs a NATS
// server in its process. "make cluster" runs three nodes behind HAProxy, with
// haproxy.cfg; README.md says how to run them elsewhere.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	var n node
	flag.StringVar(&n.addr, "addr", env("ADDR", "127.0.0.1:4000"), "`host:port` for clients; $ADDR")
	flag.StringVar(&n.health, "health", env("HEALTH", ""), "`host:port` for the checks of a load balancer, at /healthz; $HEALTH (default none: /healthz is also at -addr)")
	flag.StringVar(&n.name, "node", env("NODE", ""), "`name` of this node, unique in the cluster; $NODE (default the host's name)")
	flag.StringVar(&n.cluster, "cluster", env("CLUSTER", "127.0.0.1:6222"), "`host:port` for the other nodes; $CLUSTER")
	peers := flag.String("peers", env("PEERS", ""), "`host:port,host:port` of other nodes, or one DNS name of all; $PEERS")
	flag.Parse()
	if *peers != "" {
		n.peers = strings.Split(*peers, ",")
	}
	// No flag: other users of a machine see a program's arguments.
	n.secret = []byte(os.Getenv("SECRET"))

	// A rolling update sends SIGTERM, a terminal an interrupt.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := n.run(ctx); err != nil {
		log.Fatal(err)
	}
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
