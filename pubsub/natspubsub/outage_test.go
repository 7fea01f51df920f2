package natspubsub

import (
	"net"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// TestMuteServer replaces a lost server by one that accepts connections and sends nothing. Publishers
// do not wait for it.
func TestMuteServer(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	p := pubsubtest.Start(t, b.node(t, "a", func(o *Options) { o.ConnectTimeout = 4 * waittest.Patience }), nil)
	addr := b.running.Addr().String()
	b.stop()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	held, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the node is closed, which waits for the client
		ln.Close()
		held.Close()
	})
	published := make(chan error, 1)
	go func() { published <- p.Broadcast(&pubsub.Message{Topic: "t", Event: "e"}) }()
	select {
	case err := <-published:
		if err != nil {
			t.Errorf("Broadcast: %v", err)
		}
	case <-time.After(waittest.Patience):
		t.Error("Broadcast waits for a server that says nothing")
		held.Close()
		<-published
	}
	eventually(t, "the node knows that its server is away", func() bool { return !p.Health().Connected })
}
