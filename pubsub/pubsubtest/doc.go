// Package pubsubtest is the suite that every pubsub.Adapter must pass, and Memory,
// a broker within the process for tests of programs with several nodes.
//
// The author of an adapter writes one test:
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
// A failure names the law that was broken. The suite waits with deadlines and asserts
// no duration; run it with the race detector.
package pubsubtest
