package main

import (
	"fmt"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// TestCluster has clients over both transports behind a proxy that sends each request
// where it likes, and then loses a node.
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

	// Without a word one node is gone: its clients' connections end, and everybody
	// else goes on.
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

	// New ones get to the other nodes, from the first moment on.
	for i := range 2 * len(names) {
		g := c.enter(t, fmt.Sprintf("newcomer %d", i), i%2 == 1)
		if g.node == lost {
			t.Errorf("%s is on node %s, which was killed", g.name, lost)
		}
		left = append(left, g)
	}
	converse(t, "newcomers", left)
	c.proxy.Await(t, "Server nodes/"+lost+" is DOWN")

	// A node that is asked to end does so in order.
	for _, name := range names {
		if node := c.nodes[string(name)]; !node.Ended() {
			if code := node.Stop(t); code != 0 {
				t.Errorf("node %c ended with code %d", name, code)
			}
		}
	}
}
