// Package pubsubtest has the test suite that every pubsub.Adapter must pass, and [Memory], a broker
// in the process for tests of programs with several nodes.
//
// An adapter is tested with one function:
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
// A failure names the broken law. The suite waits for events with a deadline, and does not test how
// long they take. Run it with the race detector.
package pubsubtest
