// Package pubsubtest has the test suite that every pubsub.Adapter must pass, and [Memory], a broker
// in the process for tests of programs with several nodes.
//
// # Testing an adapter
//
// One function runs the suite:
//
//	func TestAdapter(t *testing.T) {
//		pubsubtest.Run(t, func(t *testing.T) *pubsubtest.Cluster {
//			broker := startBroker(t)
//			return &pubsubtest.Cluster{
//				Node: func(t testing.TB, name string) pubsub.Adapter { return newAdapter(t, broker, name) },
//			}
//		})
//	}
//
// A failure names the law that the adapter has broken; the laws are documented at pubsub.Adapter and
// pubsub.Receiver. The suite has a subtest for each subject, such as Order or Outage, and calls the
// function for each. It waits for events with a deadline, and does not test how long they take. Run it
// with the race detector, with a real broker, and set Cluster.Break and Cluster.Garbage if you can:
// without them two subtests are skipped.
//
// Later versions of bennu may add tests.
//
// # Testing a program
//
// A Memory makes several nodes in one test, without a broker:
//
//	var broker pubsubtest.Memory
//	a := pubsubtest.Start(t, broker.Node(t, "a"), nil)
//	b := pubsubtest.Start(t, broker.Node(t, "b"), nil)
//
// Pass each PubSub to an endpoint in bennu.EndpointOptions.
package pubsubtest
