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

// Cluster describes the broker of one test to the suite. Node is required.
type Cluster struct {
	// Node makes an adapter with the name of its node, and does not start it. Nodes of one
	// Cluster must reach each other, and none of another Cluster.
	Node func(t testing.TB, name string) pubsub.Adapter
	// Break stops the broker, as if it were killed, until mend is called. Default nil: outages
	// are not tested.
	Break func(t testing.TB) (mend func())
	// Garbage publishes data at the broker, unchanged, to the nodes that are interested in a
	// topic, as a stranger with access to the broker could. Default nil: this is not tested.
	Garbage func(t testing.TB, topic string, data []byte)
	// MaxPayload is the size of a payload that must be delivered, and TooLarge the size of one
	// that must be refused with pubsub.ErrTooLarge, in bytes. Defaults 512 KiB and 64 MiB.
	MaxPayload, TooLarge int
	// Messages is the number of messages in the test of order. Lower it for a slow broker. The
	// test of Ready has a hundredth as many rounds, from 20 to 200. Default 20,000.
	Messages int
}

// Run tests an adapter. It calls newCluster once for each test, with the subtest, whose Cleanup may
// stop the broker. The tests run one after the other.
//
// A test also fails if a node reports a gap without a reason, even if no message was missed. On a
// slow machine a node may have a reason: it waited for another node in vain. A test that fails in
// that case is run again, up to five times.
func Run(t *testing.T, newCluster func(t *testing.T) *Cluster) {
	for _, test := range tests {
		test.run(t, newCluster)
	}
}

// tests are the tests of the suite, in the order in which they run: the simple ones first.
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
	{"Places", places},
	{"TooLarge", tooLarge},
	{"Outage", outage},
	{"SlowNode", slowNode},
	{"Garbage", garbage},
	{"Name", name},
	{"Close", closing},
}

// test is one test of the suite. Its name is that of the subtest, for go test -run.
type test struct {
	name string
	body func(s *suite)
}

// attempts bounds the runs of a test on a slow machine. Only a run that found no fault, but in which a gap
// was excused, is repeated. So a faulty adapter does not get further chances.
const attempts = 5

// run runs the test until its result is certain, and fails if it never is. The further runs are subtests
// of the same name, to which package testing adds #01, #02 and so on.
func (test *test) run(t *testing.T, newCluster func(t *testing.T) *Cluster) {
	t.Helper()
	for range attempts {
		if test.try(t, newCluster) {
			return
		}
	}
	t.Errorf("%s: in each of %d runs a node reported a gap, and something took more than %v, so a slow machine may be the cause and not the adapter; run the test again when the machine is less busy",
		test.name, attempts, lateTime)
}

// try runs the test once. It returns false if the test did not pass and a slow machine may be the cause.
func (test *test) try(t *testing.T, newCluster func(t *testing.T) *Cluster) (certain bool) {
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

// suite is a running test, with its cluster. Some tests call its methods in several goroutines, for which
// late and doubtful are atomic.
type suite struct {
	*testing.T
	*Cluster
	late     atomic.Bool // something took longer than lateTime
	doubtful atomic.Bool // a node has reported a gap, for which a slow machine may be the cause
}

// lateTime is the time after which a gap is excused. It is less than the time for which an adapter waits
// for other nodes before it reports a gap.
const lateTime = 500 * time.Millisecond

// since sets late if more than lateTime has passed since began. It is called after each step in which a
// node may wait for another.
func (s *suite) since(began time.Time) {
	if time.Since(began) > lateTime {
		s.late.Store(true)
	}
}

// noGap fails the test if a node has reported gaps. A gap without missed messages is excused on a slow
// machine.
func (s *suite) noGap(law string, h pubsub.Health) {
	s.Helper()
	switch {
	case h.Gaps == 0 && h.Missed == 0:
	case h.Missed == 0 && s.late.Load():
		s.doubtful.Store(true)
		s.Logf("%s: %+v; the machine was slow, so the node may have waited in vain for another", law, h)
	default:
		s.Errorf("%s: %+v", law, h)
	}
}

// node starts a node, which is closed when the test ends.
func (s *suite) node(name string) *pubsub.PubSub {
	s.Helper()
	defer s.since(time.Now())
	return Start(s.T, s.Node(s.T, name), &pubsub.Options{Linger: linger})
}

// linger is the time for which a node keeps interest in a topic without subscribers. It is short, so that
// interest ends often; the default of package pubsub is 2 s.
const linger = 10 * time.Millisecond

// nodes starts three nodes, and waits until they know each other. Three are the least that show whether
// a node without interest is left out, and whether one slow node delays another.
func (s *suite) nodes() (a, b, c *pubsub.PubSub) {
	s.Helper()
	a, b, c = s.node("a"), s.node("b"), s.node("c")
	s.eventually("each node knows the two others", func() bool {
		return len(a.Health().Peers) == 2 && len(b.Health().Peers) == 2 && len(c.Health().Peers) == 2
	})
	return a, b, c
}

// Start makes a PubSub with an adapter, and ends the test if that fails. When the test ends, the PubSub
// is closed. opts may be nil; its Adapter is replaced by a.
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

// eventually waits until ok returns true, and ends the test with the law if that takes longer than
// waittest.Patience. More than lateTime sets late.
func (s *suite) eventually(law string, ok func() bool) {
	s.Helper()
	defer s.since(time.Now())
	waittest.Until(s.T, law, ok)
}

// broadcast publishes an event with an empty object. An error fails the test, which goes on.
func (s *suite) broadcast(p *pubsub.PubSub, topic, event string) {
	s.Helper()
	if err := p.Broadcast(&pubsub.Message{Topic: topic, Event: event, Payload: []byte("{}")}); err != nil {
		s.Errorf("Broadcast: %v", err)
	}
}

// subscribe subscribes to a topic and waits until no later message can be missed. The caller cancels the
// subscription if the test needs that; closing the node ends it in any case.
func (s *suite) subscribe(p *pubsub.PubSub, topic string) (*subscribertest.Box, *pubsub.Subscription) {
	s.Helper()
	defer s.since(time.Now())
	b := &subscribertest.Box{}
	sub := p.Subscribe(topic, b)
	s.await(sub, topic)
	return b, sub
}

// await waits until a subscription is confirmed. A nil Ready means that it was so from the start.
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

// want waits until a box has as many events, and fails the test if they are not these. It does not wait
// for more, so a message that comes twice is noticed only if it comes before the last one.
func (s *suite) want(law string, b *subscribertest.Box, events ...string) {
	s.Helper()
	s.arrive(law, b, func() bool { return b.Count() >= len(events) })
	b.Want(s.T, law, events...)
}

// arrive waits until ok returns true, when a message has arrived. On a slow machine, a node may give up
// waiting for another one and confirm its interest without it. Then a message may be missed, the
// subscriber gets a gap, and arrive ends the test, which is run again.
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
		s.Skipf("%s: the machine was slow, and a node reported a gap", law)
	}
}

// fence returns when b has received all messages of topics that it wants and that a has published before.
func (s *suite) fence(a, b *pubsub.PubSub, topic string) {
	s.Helper()
	end, sub := s.subscribe(b, topic)
	defer sub.Cancel()
	s.broadcast(a, topic, "fence")
	s.arrive("a message arrives", end, func() bool { return end.Count() > 0 })
}

// numbered is a payload with the number of its publisher, and of the message among those of the
// publisher to the topic.
type numbered struct {
	From, N int
}

// payload returns the JSON.
func (n numbered) payload() []byte {
	b, _ := json.Marshal(n) // two integers always encode
	return b
}

// numberedOf decodes the payload of a message.
func numberedOf(m *pubsub.Message) (n numbered, err error) {
	err = json.Unmarshal(m.Payload, &n)
	return n, err
}
