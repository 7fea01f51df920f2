package natspubsub

import (
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

func TestMain(m *testing.M) { waittest.Heavy(m, waittest.Brokers, 4) }

var quiet = slog.New(slog.DiscardHandler)

// patient is a probe time for tests that must not fail if the machine is busy for some seconds.
const patient = 30 * time.Second

// broker is a NATS server that can be stopped and started again.
type broker struct {
	t       testing.TB
	options server.Options
	running *server.Server
}

func startBroker(t testing.TB, change func(*server.Options)) *broker {
	t.Helper()
	b := &broker{t: t, options: server.Options{
		Host: "127.0.0.1", Port: testport.Free(t), NoSigs: true, NoLog: true, AuthTimeout: waittest.Patience.Seconds(),
	}}
	if change != nil {
		change(&b.options)
	}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	o := b.options
	s, err := server.NewServer(&o)
	if err != nil {
		b.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(waittest.Patience) {
		b.t.Fatal("the NATS server does not start")
	}
	b.options.Port = s.Addr().(*net.TCPAddr).Port
	b.running = s
}

func (b *broker) stop() {
	b.running.Shutdown()
	b.running.WaitForShutdown()
}

func (b *broker) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", b.options.Port) }

// node makes an adapter for a server.
func (b *broker) node(t testing.TB, name string, change func(*Options)) pubsub.Adapter {
	t.Helper()
	o := &Options{Node: name, URL: b.url(), ConnectTimeout: patient, Logger: quiet}
	if change != nil {
		change(o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// garbage publishes data without the adapter.
func (b *broker) garbage(t testing.TB, topic string, data []byte) {
	t.Helper()
	c, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Publish(cluster.TopicChannel(cluster.DefaultPrefix, topic), data); err != nil {
		t.Fatal(err)
	}
	if err := c.FlushTimeout(waittest.Patience); err != nil {
		t.Fatal(err)
	}
}

// embeddedNodes makes adapters that embed servers and know each other.
type embeddedNodes struct {
	started []*Embedded
	change  func(*EmbeddedOptions)
}

func (c *embeddedNodes) node(t testing.TB, name string) pubsub.Adapter {
	t.Helper()
	o := &EmbeddedOptions{Node: name, Listen: "127.0.0.1:0", Logger: quiet}
	for _, e := range c.started {
		if addr := e.Addr(); addr != nil {
			o.Peers = append(o.Peers, addr.String())
		}
	}
	if c.change != nil {
		c.change(o)
	}
	e, err := NewEmbedded(o)
	if err != nil {
		t.Fatal(err)
	}
	c.started = append(c.started, e)
	return e
}

var eventually = waittest.Until

// inbox is a subscriber that counts messages.
type inbox struct {
	messages chan *pubsub.Message
	gaps     chan string
}

func newInbox() *inbox { return &inbox{make(chan *pubsub.Message, 1<<16), make(chan string, 16)} }

func (b *inbox) Deliver(d *pubsub.Dispatch) { b.messages <- d.Message }

func (b *inbox) Gap(topic string) {
	select {
	case b.gaps <- topic:
	default:
	}
}

func (b *inbox) next(t testing.TB) *pubsub.Message {
	t.Helper()
	select {
	case m := <-b.messages:
		return m
	case <-time.After(waittest.Patience):
		t.Fatal("no message comes")
		return nil
	}
}

func await(t testing.TB, sub *pubsub.Subscription) {
	t.Helper()
	if sub.Ready() == nil {
		return
	}
	select {
	case <-sub.Ready():
	case <-time.After(waittest.Patience):
		t.Fatal("interest is never confirmed")
	}
}
