package follow

import (
	"context"
	"sync"

	"github.com/bennu-go/bennu/pubsub"
)

// fakeAdapter is an adapter whose state a test sets.
type fakeAdapter struct {
	pubsub.Receiver
	mu     sync.Mutex
	ready  chan struct{} // of Interest
	health pubsub.Health
	topics map[string]bool
}

func (a *fakeAdapter) Node() string                                     { return "here" }
func (a *fakeAdapter) Start(_ context.Context, r pubsub.Receiver) error { a.Receiver = r; return nil }
func (a *fakeAdapter) Broadcast(*pubsub.Message) error                  { return nil }
func (a *fakeAdapter) Direct(string, *pubsub.Message) error             { return nil }
func (a *fakeAdapter) Stop(context.Context) error                       { return nil }

func (a *fakeAdapter) Interest(topic string) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.topics[topic] = true
	return a.ready
}

func (a *fakeAdapter) Forget(topic string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.topics, topic)
}

func (a *fakeAdapter) Health() pubsub.Health {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.health
}

func (a *fakeAdapter) set(h pubsub.Health) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.health = h
}

func (a *fakeAdapter) interested(topic string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.topics[topic]
}

// receive delivers messages as if other nodes had sent them.
func (a *fakeAdapter) receive(list ...*pubsub.Message) {
	for _, m := range list {
		a.Receive(m)
	}
}

// withAdapter makes a node with a fakeAdapter.
func withAdapter(ready chan struct{}, a **fakeAdapter) func(o *Options) {
	return func(o *Options) {
		*a = &fakeAdapter{ready: ready, health: pubsub.Health{Connected: true}, topics: make(map[string]bool)}
		ps, err := pubsub.New(context.Background(), &pubsub.Options{Adapter: *a})
		if err != nil {
			panic(err)
		}
		o.PubSub = ps
	}
}
