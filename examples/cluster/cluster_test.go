package main

import (
	"fmt"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestCluster has clients over both transports behind a proxy that sends each request to
// any node, and then ends a node.
func TestCluster(t *testing.T) {
	c := startCluster(t)
	var sockets, pollers []*guest
	for i := range names {
		sockets = append(sockets, c.enter(t, fmt.Sprintf("socket %d", i), false))
	}
	for i := range names {
		pollers = append(pollers, c.enter(t, fmt.Sprintf("poller %d", i), true))
	}
	everybody := append(append([]*guest{}, sockets...), pollers...)
	onNode := map[string]*guest{}
	for _, g := range sockets {
		onNode[g.node] = g
	}
	if len(onNode) != len(names) {
		t.Fatalf("the WebSockets are on %d nodes, and shall be on each of the three", len(onNode))
	}
	converse(t, "all nodes are there", everybody)

	// The requests of one long poll go to all nodes.
	before := c.polls()
	waittest.Until(t, "each node has answered long polls of one client", func() bool {
		pollers[0].say("and another one")
		now := c.polls()
		for _, name := range names {
			if now[string(name)] == before[string(name)] {
				return false
			}
		}
		return true
	})

	// One node is killed: the connections of its clients end, and the others stay.
	lost := sockets[0].node
	c.nodes[lost].Kill()
	var left []*guest
	for _, g := range everybody {
		if g.node != lost {
			left = append(left, g)
			continue
		}
		if code, _ := g.DrainToClose(); code != 0 {
			t.Errorf("%s was on node %s, which was killed, and is closed with code %d", g.name, lost, code)
		}
	}
	converse(t, "one node is gone", left)

	// New clients reach the other nodes at once.
	for i := range 2 * len(names) {
		g := c.enter(t, fmt.Sprintf("newcomer %d", i), i%2 == 1)
		if g.node == lost {
			t.Errorf("%s is on node %s, which was killed", g.name, lost)
		}
		left = append(left, g)
	}
	converse(t, "newcomers", left)
	c.proxy.Await(t, "Server nodes/"+lost+" is DOWN")

	// A node that gets a signal shuts down without an error.
	for _, name := range names {
		if node := c.nodes[string(name)]; !node.Ended() {
			if code := node.Stop(t); code != 0 {
				t.Errorf("node %c ended with code %d", name, code)
			}
		}
	}
}
