package pubsubtest

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/subscribertest"
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
	// Messages is how many messages the test of order sends. Default 20,000. The test of
	// Ready has a hundredth as many rounds, 20 to 200.
	Messages int
}

// Patience is how long the suite waits for what must happen.
const Patience = waittest.Patience

// Run tests an adapter. The function makes a new Cluster for each test. A test in which a
// node tells of a gap, whether a message was missed or not, fails, unless the machine was so
// slow that the node may have had a reason; such a test is run again, and fails when it is so each
// time.
func Run(t *testing.T, newCluster func(t *testing.T) *Cluster) {
	for _, test := range tests {
		test.run(t, newCluster)
	}
}

var tests = []test{
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
}

// test is one test of the suite.
type test struct {
	name string
	body func(s *suite)
}

// attempts is how often a test is run at most.
const attempts = 5

func (test *test) run(t *testing.T, newCluster func(t *testing.T) *Cluster) {
	t.Helper()
	for range attempts {
		if test.try(t, newCluster) {
			return
		}
	}
	t.Errorf("%s: in each of %d tries a node has told of a gap, and something took more than %v: on a slow machine that may have been the reason, so nothing is known of the adapter; run the test again while the machine has less to do",
		test.name, attempts, lateTime)
}

// try runs the test once. It reports false if that says nothing about the adapter.
func (test *test) try(t *testing.T, newCluster func(t *testing.T) *Cluster) (judged bool) {
	s := &suite{}
	passed := t.Run(test.name, func(t *testing.T) {
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
		s.T, s.Cluster = t, c
		test.body(s)
	})
	return !passed || !s.doubtful.Load()
}

// suite is one test that runs.
type suite struct {
	*testing.T
	*Cluster
	late     atomic.Bool // something took longer than lateTime
	doubtful atomic.Bool // a node has told of a gap, and may have had a reason
}

// lateTime is less than what an adapter may wait for other nodes before it tells of a gap.
const lateTime = 500 * time.Millisecond

// since notes when what began then has taken so long that an adapter may tell of a gap.
func (s *suite) since(began time.Time) {
	if time.Since(began) > lateTime {
		s.late.Store(true)
	}
}

// noGap fails a test in which a node has told of gaps though nothing was missed.
func (s *suite) noGap(law string, h pubsub.Health) {
	s.Helper()
	switch {
	case h.Gaps == 0 && h.Missed == 0:
	case h.Missed == 0 && s.late.Load():
		s.doubtful.Store(true)
		s.Logf("%s: %+v; but this machine was slow, and the node may have waited in vain for another", law, h)
	default:
		s.Errorf("%s: %+v", law, h)
	}
}

// node starts a node.
func (s *suite) node(name string) *pubsub.PubSub {
	s.Helper()
	defer s.since(time.Now())
	return Start(s.T, s.Node(s.T, name), &pubsub.Options{Linger: linger})
}

// linger is short, so that nodes give interest up the whole time.
const linger = 10 * time.Millisecond

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
	defer s.since(time.Now())
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

// subscribe subscribes and waits until no message can be missed.
func (s *suite) subscribe(p *pubsub.PubSub, topic string) (*subscribertest.Box, *pubsub.Subscription) {
	s.Helper()
	defer s.since(time.Now())
	b := &subscribertest.Box{}
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
func (s *suite) want(law string, b *subscribertest.Box, events ...string) {
	s.Helper()
	s.arrive(law, b, func() bool { return b.Count() >= len(events) })
	b.Want(s.T, law, events...)
}

// arrive waits until a box has got what it should. On a slow machine a node may have waited in
// vain for another, and confirmed its interest all the same: then a message may be missed, the
// subscriber is told of a gap, and the test ends here, to be run again.
func (s *suite) arrive(law string, b interface{ Gaps() int }, ok func() bool) {
	s.Helper()
	began, missed := time.Now(), false
	s.eventually(law, func() bool {
		s.since(began)
		missed = s.late.Load() && b.Gaps() > 0 && !ok()
		return missed || ok()
	})
	if missed {
		s.doubtful.Store(true)
		s.Skipf("%s: this machine was slow, and a node has told of a gap", law)
	}
}

// fence returns when everything that a has published before has been seen by b,
// as far as it is wanted there.
func (s *suite) fence(a, b *pubsub.PubSub, topic string) {
	s.Helper()
	end, sub := s.subscribe(b, topic)
	defer sub.Cancel()
	s.broadcast(a, topic, "fence")
	s.arrive("a message arrives", end, func() bool { return end.Count() > 0 })
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
