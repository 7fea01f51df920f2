package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

// hub is a broker of links that carries everything to all.
type hub struct{ links []*hubLink }

type hubLink struct {
	hub    *hub
	events Events
}

func (l *hubLink) Open(_ context.Context, e Events) error    { l.events = e; return nil }
func (l *hubLink) Subscribe(context.Context, []string) error { return nil }
func (l *hubLink) Unsubscribe([]string) error                { return nil }
func (l *hubLink) MaxPayload() int                           { return 1 << 20 }
func (l *hubLink) Server() string                            { return "" }
func (l *hubLink) Reset()                                    {}
func (l *hubLink) Close()                                    {}

func (l *hubLink) Publish(_ context.Context, messages []Outgoing) (int, error) {
	for _, m := range messages {
		for _, to := range l.hub.links {
			if to.events != nil {
				to.events.Message(m.Channel, m.Data)
			}
		}
	}
	return len(messages), nil
}

// counter is a Receiver.
type counter struct {
	got  atomic.Int64
	want int64
	done chan struct{}
}

func (c *counter) Receive(*pubsub.Message) {
	if c.got.Add(1) == c.want {
		close(c.done)
	}
}
func (c *counter) Gap(pubsub.Gap) {}

// BenchmarkBroadcast sends from one node to another: encoding, signing, checking and delivery.
func BenchmarkBroadcast(b *testing.B) {
	for _, secret := range []string{"", "the nodes of a cluster share this"} {
		b.Run(fmt.Sprintf("secret=%t", secret != ""), func(b *testing.B) {
			h := &hub{}
			receiver := &counter{done: make(chan struct{})}
			var nodes []*Node
			for i, name := range []string{"a", "b"} {
				l := &hubLink{hub: h}
				h.links = append(h.links, l)
				n, err := New(Options{Node: name, Secret: []byte(secret), Buffer: 1 << 30, Logger: slog.New(slog.DiscardHandler)}, l)
				if err != nil {
					b.Fatal(err)
				}
				r := receiver
				if i == 0 {
					r = &counter{}
				}
				if err := n.Start(b.Context(), r); err != nil {
					b.Fatal(err)
				}
				nodes = append(nodes, n)
			}
			defer nodes[0].Stop(context.Background())
			defer nodes[1].Stop(context.Background())
			<-nodes[1].Interest("room:1")
			m := &pubsub.Message{Topic: "room:1", Event: "event", Payload: make([]byte, 100)}
			receiver.want = int64(b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				for nodes[0].Broadcast(m) != nil {
				}
			}
			<-receiver.done
		})
	}
}
