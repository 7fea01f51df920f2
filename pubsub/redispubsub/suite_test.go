package redispubsub

import (
	"os"
	"testing"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// messages returns the number of messages in the test of order: 1,000,000 at full size.
func messages() int {
	if os.Getenv("BENNU_FULL") == "1" {
		return 1_000_000
	}
	return 4_000
}

// inject publishes bytes on the channel of a topic without the adapter.
func inject(t testing.TB, s *redistest.Server, command, topic string, data []byte) {
	t.Helper()
	s.Do(t, command, cluster.TopicChannel(cluster.DefaultPrefix, topic), string(data))
}

// TestSuite runs the suite with one Redis.
func TestSuite(t *testing.T) {
	t.Parallel()
	redistest.Need(t)
	pubsubtest.Run(t, func(t *testing.T) *pubsubtest.Cluster {
		s := redistest.Start(t)
		return &pubsubtest.Cluster{
			Node: func(t testing.TB, name string) pubsub.Adapter {
				return adapter(t, Options{Node: name, URL: "redis://" + s.Addr})
			},
			Break: func(t testing.TB) func() {
				s.Kill(t)
				return func() { s.Restart(t) }
			},
			Garbage:  func(t testing.TB, topic string, data []byte) { inject(t, s, "PUBLISH", topic, data) },
			Messages: messages(),
		}
	})
}

// TestClusterSuite runs the suite with a Redis Cluster of three masters.
func TestClusterSuite(t *testing.T) {
	t.Parallel()
	redistest.Need(t)
	c := redistest.StartCluster(t, 3, false, nil)
	pubsubtest.Run(t, func(t *testing.T) *pubsubtest.Cluster {
		return &pubsubtest.Cluster{
			Node: func(t testing.TB, name string) pubsub.Adapter {
				return adapter(t, Options{Node: name, Addrs: c.Addrs(), Cluster: true})
			},
			Break: func(t testing.TB) func() {
				for _, s := range c.Masters {
					s.Kill(t)
				}
				return func() {
					for _, s := range c.Masters {
						s.Restart(t)
					}
				}
			},
			Garbage:  func(t testing.TB, topic string, data []byte) { inject(t, c.Masters[0], "SPUBLISH", topic, data) },
			Messages: messages(),
		}
	})
}

func adapter(t testing.TB, o Options) pubsub.Adapter {
	t.Helper()
	o = withPatience(o)
	a, err := New(&o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
