package pubsubtest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// Cluster is what a test of an adapter needs.
type Cluster struct {
	// Node makes an adapter for a node. It is not started yet. Nodes of one Cluster
	// reach each other, and no others.
	Node func(t testing.TB, name string) pubsub.Adapter
	// Break takes the broker away, as if it were killed, until the function that it
	// returns is called. nil: this broker cannot be taken away, and what happens
	// then is not tested.
	Break func(t testing.TB) (mend func())
	// Garbage makes the broker deliver these bytes, as they are, to the nodes that are
	// interested in a topic. nil: not tested.
	Garbage func(t testing.TB, topic string, data []byte)
	// MaxPayload is a payload that must get through, in bytes. Default 512 KiB.
	// TooLarge is one that must not. Default 64 MiB.
	MaxPayload, TooLarge int
	// Messages is how many messages the test of order sends. Default 20,000.
	Messages int
}

// Patience is how long the suite waits for what must happen.
const Patience = waittest.Patience

// Run tests an adapter. The function makes a new Cluster for each test.
func Run(t *testing.T, newCluster func(t *testing.T) *Cluster) {
	for _, test := range []struct {
		name string
		run  func(s *suite)
	}{
		{"OneNode", oneNode},
		{"TwoNodes", twoNodes},
		{"Delivery", delivery},
		{"Direct", direct},
		{"Exclusion", exclusion},
		{"Order", order},
		{"Ready", ready},
		{"Interest", interest},
		{"Churn", churn},
		{"Topics", topics},
		{"Payloads", payloads},
		{"TooLarge", tooLarge},
		{"Outage", outage},
		{"SlowNode", slowNode},
		{"Garbage", garbage},
		{"Name", name},
		{"Close", closing},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			if c.MaxPayload == 0 {
				c.MaxPayload = 512 << 10
			}
			if c.TooLarge == 0 {
				c.TooLarge = 64 << 20
			}
			if c.Messages == 0 {
				c.Messages = 20_000
			}
			test.run(&suite{T: t, Cluster: c})
		})
	}
}

// suite is one test.
type suite struct {
	*testing.T
	*Cluster
}

// node starts a node.
func (s *suite) node(name string) *pubsub.PubSub {
	s.Helper()
	return Start(s.T, s.Node(s.T, name), nil)
}

// nodes starts three.
func (s *suite) nodes() (a, b, c *pubsub.PubSub) {
	s.Helper()
	a, b, c = s.node("a"), s.node("b"), s.node("c")
	s.eventually("each node knows the two others", func() bool {
		return len(a.Health().Peers) == 2 && len(b.Health().Peers) == 2 && len(c.Health().Peers) == 2
	})
	return a, b, c
}

// Start makes a PubSub on an adapter, which is closed when the test ends.
func Start(t testing.TB, a pubsub.Adapter, opts *pubsub.Options) *pubsub.PubSub {
	t.Helper()
	o := pubsub.Options{}
	if opts != nil {
		o = *opts
	}
	o.Adapter = a
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	p, err := pubsub.New(ctx, &o)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

func (s *suite) eventually(law string, ok func() bool) {
	s.Helper()
	Eventually(s.T, law, ok)
}

// Eventually polls until ok, and fails the test when that takes longer than
// Patience.
func Eventually(t testing.TB, law string, ok func() bool) {
	t.Helper()
	if !waittest.Within(Patience, ok) {
		t.Fatalf("never came true: %s", law)
	}
}

func (s *suite) broadcast(p *pubsub.PubSub, topic, event string) {
	s.Helper()
	if err := p.Broadcast(&pubsub.Message{Topic: topic, Event: event, Payload: []byte("{}")}); err != nil {
		s.Errorf("Broadcast: %v", err)
	}
}

// box is a subscriber that keeps what it gets.
type box struct {
	mu       sync.Mutex
	messages []*pubsub.Message
	gaps     int
}

// Deliver implements pubsub.Subscriber.
func (b *box) Deliver(d *pubsub.Dispatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, d.Message)
}

// Gap implements pubsub.GapSubscriber.
func (b *box) Gap(string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gaps++
}

func (b *box) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.messages)
}

func (b *box) gapped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gaps > 0
}

func (b *box) events() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]string, len(b.messages))
	for i, m := range b.messages {
		list[i] = m.Event
	}
	return list
}

// subscribe subscribes and waits until no message can be missed.
func (s *suite) subscribe(p *pubsub.PubSub, topic string) (*box, *pubsub.Subscription) {
	s.Helper()
	b := &box{}
	sub := p.Subscribe(topic, b)
	s.await(sub)
	return b, sub
}

func (s *suite) await(sub *pubsub.Subscription) {
	s.Helper()
	if sub.Ready() == nil {
		return
	}
	select {
	case <-sub.Ready():
	case <-time.After(Patience):
		s.Fatalf("interest in %.40q was never confirmed", sub.Topic())
	}
}

// want waits until a box has got exactly these events.
func (s *suite) want(law string, b *box, events ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("%s: want %q, got %q", law, events, b.events()), func() bool { return b.count() >= len(events) })
	if got := b.events(); fmt.Sprint(got) != fmt.Sprint(events) {
		s.Errorf("%s: got %q, want %q", law, got, events)
	}
}

// fence returns when everything that a has published before has been seen by b,
// as far as it is wanted there.
func (s *suite) fence(a, b *pubsub.PubSub, topic string) {
	s.Helper()
	end, sub := s.subscribe(b, topic)
	defer sub.Cancel()
	s.broadcast(a, topic, "fence")
	s.eventually("a message arrives", func() bool { return end.count() > 0 })
}

// numbered is a payload that says who sent it and which it is.
type numbered struct {
	From, N int
}

func (n numbered) payload() []byte {
	b, _ := json.Marshal(n) // two numbers
	return b
}

func numberedOf(m *pubsub.Message) (n numbered, err error) {
	err = json.Unmarshal(m.Payload, &n)
	return n, err
}
