package pubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

// inbox is a Subscriber that keeps the events it gets.
type inbox struct {
	mu     sync.Mutex
	events []string
}

func (b *inbox) Deliver(d *Dispatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, d.Event)
}

func (b *inbox) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events = nil
	return events
}

func (b *inbox) want(t *testing.T, events ...string) {
	t.Helper()
	if got := b.take(); !slices.Equal(got, events) {
		t.Errorf("got %q, want %q", got, events)
	}
}

func publish(t *testing.T, p *PubSub, topic, event string) {
	t.Helper()
	if err := p.Broadcast(&Message{Topic: topic, Event: event}); err != nil {
		t.Errorf("Broadcast: %v", err)
	}
}

func TestBroadcast(t *testing.T) {
	p := NewLocal()
	var a, b, other inbox
	subA, subB := p.Subscribe("t", &a), p.Subscribe("t", &b)
	p.Subscribe("other", &other)
	if subA.Ready() != nil {
		t.Errorf("ready %v", subA.Ready())
	}
	publish(t, p, "t", "1")
	publish(t, p, "nobody", "x")
	p.LocalBroadcast(&Message{Topic: "t", Event: "2"})
	if err := p.BroadcastFrom(&a, &Message{Topic: "t", Event: "3"}); err != nil {
		t.Error(err)
	}
	a.want(t, "1", "2")
	b.want(t, "1", "2", "3")
	other.want(t)

	subA.Cancel()
	subA.Cancel()
	publish(t, p, "t", "5")
	a.want(t)
	b.want(t, "5")
	subB.Cancel()
	if n := p.Topics(); n != 1 {
		t.Errorf("%d topics, want the other one", n)
	}
}

// TestSubscribeTwice has the law of Phoenix: who subscribes twice gets each message twice.
func TestSubscribeTwice(t *testing.T) {
	p := NewLocal()
	var a, b inbox
	first := p.Subscribe("t", &a)
	p.Subscribe("t", &b)
	p.Subscribe("t", &a)
	publish(t, p, "t", "1")
	a.want(t, "1", "1")
	first.Cancel()
	first.Cancel()
	publish(t, p, "t", "2")
	a.want(t, "2")
	if n := p.Subscribers("t"); n != 2 {
		t.Errorf("%d subscriptions, want 2", n)
	}
	b.want(t, "1", "2")
}

// TestMemo shares the memo among the subscribers of one dispatch and no longer.
func TestMemo(t *testing.T) {
	p := NewLocal()
	var made, seen atomic.Int64
	for range 10 {
		f := deliver(func(d *Dispatch) {
			if d.Memo == nil {
				d.Memo = made.Add(1)
			}
			seen.Add(1)
		})
		p.Subscribe("t", &f)
	}
	publish(t, p, "t", "1")
	publish(t, p, "t", "2")
	if made.Load() != 2 || seen.Load() != 20 {
		t.Errorf("made %d memos for %d deliveries, want 2 for 20", made.Load(), seen.Load())
	}
}

type deliver func(*Dispatch)

// The method is on a pointer because subscribers are compared with ==.
func (f *deliver) Deliver(d *Dispatch) { (*f)(d) }

// TestSubscriberMayCall subscribes, cancels and publishes within a delivery.
func TestSubscriberMayCall(t *testing.T) {
	p := NewLocal()
	var later inbox
	var sub *Subscription
	f := deliver(func(d *Dispatch) {
		if d.Event != "1" {
			return
		}
		sub.Cancel()
		other := p.Subscribe("t", &later)
		p.LocalBroadcast(&Message{Topic: "t", Event: "2"})
		other.Cancel()
	})
	sub = p.Subscribe("t", &f)
	publish(t, p, "t", "1")
	publish(t, p, "t", "3")
	later.want(t, "2")
	if n := p.Topics(); n != 0 {
		t.Errorf("%d topics left", n)
	}
}

// TestModel subscribes and cancels at random and compares with plain lists, past the
// sizes at which a topic's list shrinks.
func TestModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	p := NewLocal()
	type entry struct {
		box *inbox
		sub *Subscription
	}
	model := map[string][]entry{}
	topics := []string{"a", "b", "c"}
	boxes := make([]inbox, 50)
	for step := range 20_000 {
		topic := topics[rnd.IntN(len(topics))]
		list := model[topic]
		switch grow := step/4000%2 == 0; {
		case rnd.IntN(200) == 0:
			box := &boxes[rnd.IntN(len(boxes))]
			model[topic] = slices.DeleteFunc(list, func(e entry) bool {
				if e.box == box {
					e.sub.Cancel()
				}
				return e.box == box
			})
		case rnd.IntN(3) == 0 != grow || len(list) == 0:
			box := &boxes[rnd.IntN(len(boxes))]
			model[topic] = append(list, entry{box, p.Subscribe(topic, box)})
		default:
			i := rnd.IntN(len(list))
			list[i].sub.Cancel()
			model[topic] = slices.Delete(list, i, i+1)
		}
		if step%100 != 0 {
			continue
		}
		want, used := map[*inbox]int{}, 0
		for _, e := range model[topic] {
			want[e.box]++
		}
		for _, l := range model {
			if len(l) > 0 {
				used++
			}
		}
		publish(t, p, topic, "x")
		for i := range boxes {
			if got := len(boxes[i].take()); got != want[&boxes[i]] {
				t.Fatalf("step %d: box %d got %d, want %d", step, i, got, want[&boxes[i]])
			}
		}
		if p.Subscribers(topic) != len(model[topic]) || p.Topics() != used {
			t.Fatalf("step %d: %d subscriptions and %d topics, want %d and %d", step, p.Subscribers(topic), p.Topics(), len(model[topic]), used)
		}
	}
}

// TestOrderUnderChurn publishes from several goroutines while others come and go:
// who stays gets everything of each publisher, in its order.
func TestOrderUnderChurn(t *testing.T) {
	const publishers, messages = 4, 2000
	p := NewLocal()
	var stays inbox
	p.Subscribe("t", &stays)
	var publishing, churning sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		churning.Go(func() {
			var box inbox
			for {
				select {
				case <-stop:
					return
				default:
				}
				subs := []*Subscription{p.Subscribe("t", &box), p.Subscribe("t", &box), p.Subscribe("u", &box)}
				for _, s := range subs {
					s.Cancel()
				}
				box.take() // what comes after a Cancel had begun before it
			}
		})
	}
	for i := range publishers {
		publishing.Go(func() {
			for n := range messages {
				p.LocalBroadcast(&Message{Topic: "t", Event: fmt.Sprintf("%d %d", i, n)})
			}
		})
	}
	publishing.Wait()
	close(stop)
	churning.Wait()
	next := [publishers]int{}
	for _, e := range stays.take() {
		var i, n int
		fmt.Sscan(e, &i, &n)
		if n != next[i] {
			t.Fatalf("publisher %d: got %d, want %d", i, n, next[i])
		}
		next[i]++
	}
	for i, n := range next {
		if n != messages {
			t.Errorf("publisher %d: %d of %d", i, n, messages)
		}
	}
	if p.Topics() != 1 || p.Subscribers("t") != 1 {
		t.Errorf("left %d topics, %d subscriptions", p.Topics(), p.Subscribers("t"))
	}
}

// cluster connects nodes in memory.
type cluster struct {
	mu    sync.Mutex
	nodes map[string]*node
}

// node is an Adapter, and checks how it is called.
type node struct {
	c    *cluster
	name string
	Receiver
	faults  []string
	wants   map[string]bool
	ready   chan struct{} // of every topic
	fail    error
	stopped bool
}

func (c *cluster) node(name string) *node {
	n := &node{c: c, name: name, wants: map[string]bool{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes == nil {
		c.nodes = map[string]*node{}
	}
	c.nodes[name] = n
	return n
}

func (n *node) Node() string { return n.name }

func (n *node) Start(_ context.Context, r Receiver) error {
	n.Receiver = r
	return n.fail
}

func (n *node) Broadcast(m *Message) error {
	if n.fail != nil {
		return n.fail
	}
	n.c.mu.Lock()
	var to []*node
	for _, other := range n.c.nodes {
		if other != n && other.wants[m.Topic] {
			to = append(to, other)
		}
	}
	n.c.mu.Unlock()
	for _, other := range to {
		other.Receive(m)
	}
	return nil
}

func (n *node) Direct(name string, m *Message) error {
	n.c.mu.Lock()
	other := n.c.nodes[name]
	n.c.mu.Unlock()
	if other == nil {
		return errors.New("no such node")
	}
	other.Receive(m)
	return nil
}

func (n *node) Interest(topic string) <-chan struct{} {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.wants[topic] {
		n.faults = append(n.faults, "interest twice in "+topic)
	}
	n.wants[topic] = true
	return n.ready
}

func (n *node) Forget(topic string) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if !n.wants[topic] {
		n.faults = append(n.faults, "forget without interest in "+topic)
	}
	delete(n.wants, topic)
}

func (n *node) Health() Health { return Health{Connected: n.fail == nil, Err: n.fail} }

func (n *node) Stop(context.Context) error {
	n.stopped = true
	return nil
}

func start(t *testing.T, n *node) *PubSub {
	t.Helper()
	p, err := New(t.Context(), &Options{Adapter: n, Linger: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAdapter(t *testing.T) {
	var c cluster
	n1, n2 := c.node("one"), c.node("two")
	n1.ready = make(chan struct{})
	p1, p2 := start(t, n1), start(t, n2)
	var a, b inbox
	sub := p1.Subscribe("t", &a)
	if sub.Ready() != n1.ready {
		t.Error("Ready is not what the adapter says")
	}
	p2.Subscribe("t", &b)
	publish(t, p1, "t", "1")
	p1.LocalBroadcast(&Message{Topic: "t", Event: "2"})
	if err := p2.BroadcastFrom(&b, &Message{Topic: "t", Event: "3"}); err != nil {
		t.Error(err)
	}
	for _, to := range []string{"one", "two"} {
		if err := p1.DirectBroadcast(to, &Message{Topic: "t", Event: "to " + to}); err != nil {
			t.Error(err)
		}
	}
	a.want(t, "1", "2", "3", "to one")
	b.want(t, "1", "to two")

	// This node is served whatever the adapter says.
	n1.fail = errors.New("away")
	if err := p1.Broadcast(&Message{Topic: "t", Event: "4"}); !errors.Is(err, n1.fail) {
		t.Errorf("Broadcast: %v", err)
	}
	a.want(t, "4")
	b.want(t)
	if p1.Node() != "one" || NewLocal().Node() != "" {
		t.Error("wrong names of nodes")
	}
	if err := NewLocal().DirectBroadcast("one", &Message{}); !errors.Is(err, errNoAdapter) {
		t.Errorf("DirectBroadcast without adapter: %v", err)
	}
	if err := errors.Join(p1.Close(t.Context()), NewLocal().Close(t.Context())); err != nil || !n1.stopped {
		t.Errorf("Close: %v, stopped %v", err, n1.stopped)
	}
	if _, err := New(t.Context(), &Options{Adapter: (*node)(nil)}); err == nil || !strings.Contains(err.Error(), "option Adapter is a nil *pubsub.node") {
		t.Errorf("a nil adapter: %v", err)
	}
	if _, err := New(t.Context(), &Options{Adapter: n1}); !errors.Is(err, n1.fail) {
		t.Errorf("New with an adapter that does not start: %v", err)
	}
}

// TestInterestPairs comes and goes on the same topics from many goroutines: the
// adapter sees interest and its end in turn.
func TestInterestPairs(t *testing.T) {
	var c cluster
	n := c.node("one")
	p := start(t, n)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			var box inbox
			for k := range 2000 {
				s := p.Subscribe(fmt.Sprint((i+k)%3), &box)
				if k%3 == 0 {
					s.Cancel()
				}
				s.Cancel()
			}
		})
	}
	all.Wait()
	waittest.Within(waittest.Patience, func() bool {
		n.c.mu.Lock()
		defer n.c.mu.Unlock()
		return len(n.wants) == 0
	})
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(n.faults) > 0 || len(n.wants) > 0 || p.Topics() != 0 {
		t.Errorf("faults %q, still wanted %v, %d topics", n.faults, n.wants, p.Topics())
	}
}

// refuser is a Subscriber that takes nothing, and notes whether the publisher is told.
type refuser struct{ told []bool }

func (r *refuser) Deliver(d *Dispatch) { r.told = append(r.told, d.Refuse(ErrTooLarge)) }

// TestRefuse has a subscriber refuse what comes from everywhere.
func TestRefuse(t *testing.T) {
	p := NewLocal()
	var r refuser
	var other inbox
	p.Subscribe("t", &r)
	p.Subscribe("t", &other)
	m := &Message{Topic: "t", Event: "e"}
	for _, err := range []error{p.Broadcast(m), p.BroadcastFrom(&other, m), p.DirectBroadcast("", m)} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("the publisher got %v", err)
		}
	}
	p.LocalBroadcast(m)
	(*receiver)(p).Receive(m)
	if want := []bool{true, true, true, false, false}; !slices.Equal(r.told, want) {
		t.Errorf("told: %v, want %v", r.told, want)
	}
	other.want(t, "e", "e", "e", "e")
	if err := p.BroadcastFrom(&r, m); err != nil {
		t.Errorf("to those who take it: %v", err)
	}
}
