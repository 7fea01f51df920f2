package natspubsub

import (
	"os"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// messages returns the number of messages in the test of order: 1,000,000 at full size.
func messages() int {
	if os.Getenv("BENNU_FULL") == "1" {
		return 1_000_000
	}
	return 4_000
}

// TestURL runs the suite with three nodes at one server.
func TestURL(t *testing.T) {
	t.Parallel()
	pubsubtest.Run(t, func(t *testing.T) *pubsubtest.Cluster {
		b := startBroker(t, nil)
		return &pubsubtest.Cluster{
			Node: func(t testing.TB, name string) pubsub.Adapter { return b.node(t, name, nil) },
			Break: func(testing.TB) func() {
				b.stop()
				return b.start
			},
			Garbage:  b.garbage,
			Messages: messages(),
		}
	})
}

// TestServers runs the suite with each node at another server of one NATS cluster.
func TestServers(t *testing.T) {
	t.Parallel()
	pubsubtest.Run(t, func(t *testing.T) *pubsubtest.Cluster {
		seed := startBroker(t, clustered(""))
		brokers := []*broker{seed}
		for range 2 {
			brokers = append(brokers, startBroker(t, clustered("nats-route://"+seed.running.ClusterAddr().String())))
		}
		for _, b := range brokers {
			eventually(t, "servers are connected", func() bool { return b.running.NumRoutes() >= 2 })
		}
		next := 0
		return &pubsubtest.Cluster{
			Node: func(t testing.TB, name string) pubsub.Adapter {
				next++
				return brokers[next%3].node(t, name, nil)
			},
			Garbage:  brokers[0].garbage,
			Messages: messages(),
		}
	})
}

func clustered(route string) func(*server.Options) {
	return func(o *server.Options) {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT}
		o.Routes = server.RoutesFromStr(route)
	}
}

// TestEmbedded runs the suite with a server in each node, whose messages are not signed. TestURL and
// TestEmbeddedSecret test the same together, so it runs only at full size.
func TestEmbedded(t *testing.T) {
	if os.Getenv("BENNU_FULL") != "1" {
		t.Skip("BENNU_FULL is not 1")
	}
	t.Parallel()
	pubsubtest.Run(t, func(*testing.T) *pubsubtest.Cluster {
		c := &embeddedNodes{}
		return &pubsubtest.Cluster{Node: c.node, Messages: messages()}
	})
}

// TestEmbeddedSecret runs the suite with a server in each node, and signed messages.
func TestEmbeddedSecret(t *testing.T) {
	t.Parallel()
	pubsubtest.Run(t, func(*testing.T) *pubsubtest.Cluster {
		c := &embeddedNodes{change: func(o *EmbeddedOptions) { o.Secret = []byte("the nodes of a cluster share this") }}
		return &pubsubtest.Cluster{Node: c.node, Messages: messages()}
	})
}
