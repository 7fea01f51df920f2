package bennu

import (
	"context"
	"sync"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

// gate is an adapter without other nodes, whose interest in a topic is confirmed
// only when the test says so.
type gate struct {
	mu    sync.Mutex
	ready map[string]chan struct{}
}

func newGate() *gate { return &gate{ready: map[string]chan struct{}{}} }

func (g *gate) pubsub(t testing.TB) *pubsub.PubSub {
	t.Helper()
	p, err := pubsub.New(context.Background(), &pubsub.Options{Adapter: g})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (g *gate) Node() string                                 { return "gate" }
func (g *gate) Start(context.Context, pubsub.Receiver) error { return nil }
func (g *gate) Health() pubsub.Health                        { return pubsub.Health{Connected: true} }
func (g *gate) Broadcast(*pubsub.Message) error              { return nil }
func (g *gate) Direct(string, *pubsub.Message) error         { return nil }
func (g *gate) Forget(string)                                {}
func (g *gate) Stop(context.Context) error                   { return nil }
func (g *gate) Interest(topic string) <-chan struct{}        { return g.of(topic) }
func (g *gate) open(topic string)                            { close(g.of(topic)) }
func (g *gate) of(topic string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ready[topic] == nil {
		g.ready[topic] = make(chan struct{})
	}
	return g.ready[topic]
}
