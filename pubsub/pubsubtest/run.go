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

// Cluster is the broker of one test, and makes its nodes.
type Cluster struct {
	// Node makes an adapter, without starting it. Nodes of one Cluster reach each other, and
	// those of another Cluster do not.
	Node func(t testing.TB, name string) pubsub.Adapter
	// Break stops the broker, as if it were killed, until mend is called. Default nil: outages
	// are not tested.
	Break func(t testing.TB) (mend func())
	// Garbage makes the broker deliver data, unchanged, to the nodes that are interested in a
	// topic. Default nil: this is not tested.
	Garbage func(t testing.TB, topic string, data []byte)
	// MaxPayload is the size of a payload that must be delivered, in bytes, and TooLarge that
	// of one that must be refused. Defaults 512 KiB and 64 MiB.
	MaxPayload, TooLarge int
	// Messages is the number of messages in the test of order. The test of Ready has a
	// hundredth as many rounds, 20 to 200. Default 20,000.
	Messages int
}

// Run tests an adapter. It calls newCluster for each test. A test fails if a node reports a gap,
// even if no message was missed. If the machine was so slow that the node may have had a reason, the
// test is run again, up to five times.
func Run(t *testing.T, newCluster func(t *testing.T) *Cluster) {
	for _, test := range tests {
		test.run(t, newCluster)
	}
}

// tests are the tests of the suite, each named for what it is about.
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

// attempts bounds the runs of a test.
const attempts = 5

// run runs the test until it says something about the adapter.
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

// try runs the test once. It returns false if the result says nothing about the adapter.
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
		s.T, s.Cluster = t, c // the tests call methods of both
		test.body(s)
	})
	return !passed || !s.doubtful.Load()
}

// suite is a running test.
type suite struct {
	*testing.T
	*Cluster
	late     atomic.Bool // something took longer than lateTime
	doubtful atomic.Bool // a node has reported a gap, and may have had a reason
}

// lateTime is less than the time for which an adapter waits for other nodes before it reports a
// gap.
const lateTime = 500 * time.Millisecond

// since notes whether so much time has passed that an adapter may report a gap.
func (s *suite) since(began time.Time) {
	if time.Since(began) > lateTime {
		s.late.Store(true)
	}
}

// noGap fails the test if a node has reported gaps.
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

// linger is short, so that nodes end interest all the time.
const linger = 10 * time.Millisecond

// nodes starts three nodes.
func (s *suite) nodes() (a, b, c *pubsub.PubSub) {
	s.Helper()
	a, b, c = s.node("a"), s.node("b"), s.node("c")
	s.eventually("each node knows the two others", func() bool {
		return len(a.Health().Peers) == 2 && len(b.Health().Peers) == 2 && len(c.Health().Peers) == 2
	})
	return a, b, c
}

// Start makes a PubSub with an adapter, and closes it when the test ends. opts may be nil; its Adapter
// is ignored.
func Start(t testing.TB, a pubsub.Adapter, opts *pubsub.Options) *pubsub.PubSub {
	t.Helper()
	o := pubsub.Options{}
	if opts != nil {
		o = *opts
	}
	o.Adapter = a
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	p, err := pubsub.New(ctx, &o)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// eventually waits until ok returns true.
func (s *suite) eventually(law string, ok func() bool) {
	s.Helper()
	defer s.since(time.Now())
	waittest.Until(s.T, law, ok)
}

// broadcast publishes an event.
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
	s.await(sub, topic)
	return b, sub
}

// await waits until no message can be missed.
func (s *suite) await(sub *pubsub.Subscription, topic string) {
	s.Helper()
	if sub.Ready() == nil {
		return
	}
	select {
	case <-sub.Ready():
	case <-time.After(waittest.Patience):
		s.Fatalf("interest in %.40q was never confirmed", topic)
	}
}

// want waits for the events of a box, which must be exactly these.
func (s *suite) want(law string, b *subscribertest.Box, events ...string) {
	s.Helper()
	s.arrive(law, b, func() bool { return b.Count() >= len(events) })
	b.Want(s.T, law, events...)
}

// arrive waits until ok returns true. On a slow machine, a node may give up waiting for another and
// confirm its interest without it. Then a message may be missed, the subscriber is told of a gap,
// and the test ends and is run again.
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

// fence returns when b has received everything that a has published before, as far as b wants it.
func (s *suite) fence(a, b *pubsub.PubSub, topic string) {
	s.Helper()
	end, sub := s.subscribe(b, topic)
	defer sub.Cancel()
	s.broadcast(a, topic, "fence")
	s.arrive("a message arrives", end, func() bool { return end.Count() > 0 })
}

// numbered is a payload with the number of a publisher and of its message.
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
