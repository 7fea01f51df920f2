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
// pubsub.Receiver. The suite waits for events with a deadline, and does not test how long they take. Run it
// with the race detector, with a real broker, and set Cluster.Break and Cluster.Garbage if you can:
// without them two subtests are skipped.
//
// Run calls the function for each subtest, which checks these laws:
//
//   - OneNode: a node without peers delivers its own messages once, and Health fits.
//   - TwoNodes: a node that starts or ends without a fault causes no gap, and is in Health.Peers.
//   - Delivery: every subscriber of a topic gets a broadcast once, on all nodes; a local broadcast
//     stays on its node.
//   - Direct: messages to one node arrive there in order, and nowhere else.
//   - Exclusion: BroadcastFrom does not reach the sender.
//   - Order: of many messages of several nodes none is lost or doubled, and those of one publisher
//     to one topic keep their order.
//   - Ready: a message that any node publishes after Ready was closed arrives.
//   - Interest: a node gets only topics that it wants; interest ends, and can begin again.
//   - Churn: messages of one topic arrive while others are joined and left all the time.
//   - Topics: topics of any bytes and of up to 10,000 bytes are distinct.
//   - Payloads: payloads of any bytes, up to Cluster.MaxPayload, arrive unchanged.
//   - Places: a message arrives with the place that it was published with, and with none if it had none.
//   - TooLarge: a larger message is refused with pubsub.ErrTooLarge, and the connection stays.
//   - Outage: while the broker is away, Broadcast does not block and Health has the reason; then
//     subscribers get a gap, and Missed is the number of messages that did not arrive.
//   - SlowNode: a node that is blocked does not delay others, and gets its messages late, or a gap.
//   - Garbage: data of strangers is dropped and counted, and causes no gap.
//   - Name: a second node with the same name does not start, and does not disturb the first.
//   - Close: accepted messages are sent before Close returns, and the name is free after it.
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
