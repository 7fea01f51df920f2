package pubsubtest_test

import (
	"testing"

	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// The test of an adapter is one function, which says how to make a node of a new cluster.
func ExampleRun() {
	_ = func(t *testing.T) {
		pubsubtest.Run(t, func(*testing.T) *pubsubtest.Cluster {
			var broker pubsubtest.Memory
			return &pubsubtest.Cluster{
				Node: func(t testing.TB, name string) pubsub.Adapter { return broker.Node(t, name) },
			}
		})
	}
}

// Two nodes of an application in one test, without a broker.
func ExampleMemory() {
	_ = func(t *testing.T) {
		var broker pubsubtest.Memory
		a := pubsubtest.Start(t, broker.Node(t, "a"), nil)
		b := pubsubtest.Start(t, broker.Node(t, "b"), nil)
		// endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: a}), and another on b
		_, _ = a, b
	}
}
