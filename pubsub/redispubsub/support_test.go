package redispubsub

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

func TestMain(m *testing.M) {
	redisconn.CallTimeout = patient
	waittest.Heavy(m, waittest.Brokers, 8)
}

// patient is a probe time for tests that must not fail if the machine is busy for some seconds. It
// is not longer, since a lost message is only noticed after it.
const patient = 30 * time.Second

// discard is a log that nobody reads, unless the tests are verbose.
var discard = func() *slog.Logger {
	if os.Getenv("BENNU_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}()

// probe is a short probe time, for tests of faults that probes find.
const probe = 500 * time.Millisecond

// start makes a node that is closed at the end of the test.
func start(t testing.TB, name string, o Options) *pubsub.PubSub {
	t.Helper()
	p, err := tryStart(t, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryStart(t testing.TB, name string, o Options) (*pubsub.PubSub, error) {
	t.Helper()
	o.Node = name
	o = withPatience(o)
	a, err := New(&o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
	defer cancel()
	p, err := pubsub.New(ctx, &pubsub.Options{Adapter: a, Linger: time.Millisecond})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p, nil
}

func withPatience(o Options) Options {
	if o.Probe == 0 {
		o.Probe = patient
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = patient
	}
	if o.Logger == nil {
		o.Logger = discard
	}
	return o
}

func subscribe(t testing.TB, p *pubsub.PubSub, topic string) *subscribertest.Box {
	t.Helper()
	b := &subscribertest.Box{}
	s := p.Subscribe(topic, b)
	t.Cleanup(s.Cancel)
	await(t, s)
	return b
}

func await(t testing.TB, s *pubsub.Subscription) {
	t.Helper()
	if s.Ready() == nil {
		return
	}
	late := time.NewTimer(redistest.Patience)
	defer late.Stop()
	select {
	case <-s.Ready():
	case <-late.C:
		t.Fatal("interest is not confirmed")
	}
}

func publish(t testing.TB, p *pubsub.PubSub, topic, event string) {
	t.Helper()
	if err := p.Broadcast(&pubsub.Message{Topic: topic, Event: event, Payload: []byte("{}")}); err != nil {
		t.Errorf("Broadcast: %v", err)
	}
}

// heals waits until messages arrive again in every topic.
func heals(t testing.TB, from, to *pubsub.PubSub, topics ...string) {
	t.Helper()
	for _, topic := range topics {
		b := subscribe(t, to, topic)
		waittest.Until(t, "a message on "+topic+" comes through", func() bool {
			publish(t, from, topic, "healed")
			return slices.Contains(b.Events(), "healed")
		})
	}
}

// forEach runs a test with one server and with a cluster, at the same time.
func forEach(t *testing.T, test func(t *testing.T, o Options, servers []*redistest.Server)) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		s := redistest.Start(t)
		test(t, Options{Addrs: []string{s.Addr}}, []*redistest.Server{s})
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t, 3, false, nil)
		test(t, Options{Addrs: c.Addrs()[:1], Cluster: true}, c.Masters)
	})
}

// spread are topics that are spread over all shards of a cluster of three.
var spread = func() (topics []string) {
	for i := range 24 {
		topics = append(topics, fmt.Sprintf("spread:%d", i))
	}
	return topics
}()
