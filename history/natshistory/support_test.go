package natshistory

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Heavy(m, waittest.Brokers, 4) }

var quiet = slog.New(slog.DiscardHandler)

// broker is a NATS server with JetStream on a temporary disk. It can be stopped and started again.
type broker struct {
	t       testing.TB
	options server.Options
	running *server.Server
}

// newBroker makes a server that does not run yet.
func newBroker(t testing.TB, change func(*server.Options)) *broker {
	t.Helper()
	b := &broker{t: t, options: server.Options{
		Host: "127.0.0.1", Port: testport.Free(t), NoSigs: true, NoLog: true, AuthTimeout: waittest.Patience.Seconds(),
		JetStream: true, StoreDir: t.TempDir(), ServerName: "one",
	}}
	if change != nil {
		change(&b.options)
	}
	t.Cleanup(b.stop)
	return b
}

// startBroker starts a single server.
func startBroker(t testing.TB, change func(*server.Options)) *broker {
	t.Helper()
	b := newBroker(t, change)
	b.start()
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
	b.running = s
}

func (b *broker) stop() {
	if b.running != nil {
		b.running.Shutdown()
		b.running.WaitForShutdown()
		b.running = nil
	}
}

func (b *broker) addr() string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(b.options.Port)) }

func (b *broker) url() string { return "nats://" + b.addr() }

// clusterOf starts servers that form a cluster.
func clusterOf(t testing.TB, n int) []*broker {
	t.Helper()
	ports := make([]int, n)
	var routes []string
	for i := range ports {
		ports[i] = testport.Free(t)
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	list := make([]*broker, n)
	for i := range list {
		list[i] = newBroker(t, func(o *server.Options) {
			o.ServerName = fmt.Sprint("server", i)
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i], NoAdvertise: true}
			o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		})
		list[i].start()
	}
	waittest.Until(t, "the cluster has a leader and all servers", func() bool {
		for _, b := range list {
			if b.running.JetStreamIsLeader() {
				return len(b.running.JetStreamClusterPeers()) == n
			}
		}
		return false
	})
	return list
}

func urls(list []*broker) string {
	var all []string
	for _, b := range list {
		all = append(all, b.url())
	}
	return strings.Join(all, ",")
}

// open opens a store at a URL, which is closed when the test ends.
func open(t testing.TB, url string, change func(*Options)) *store {
	t.Helper()
	o := &Options{URL: url, Replicas: 1, Size: 100_000, Logger: quiet}
	if change != nil {
		change(o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience)
	defer cancel()
	s, err := New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s.(*store)
}

func closeStore(t testing.TB, s history.Store) {
	ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}
