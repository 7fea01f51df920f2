// Package pubsub delivers messages to the subscribers of a topic, on this node and, through an
// [Adapter], on others.
//
// It does not know channels or encodings: payloads are opaque bytes, and a [Subscriber] decides
// what to do with a message. Only the event "disconnect" is special: whatever its topic, the
// endpoints of all nodes to which it is published get it, too. Most programs pass a PubSub to an
// endpoint and to a presence, and do not call it themselves.
//
// # Laws
//
//   - A message is delivered at most once. Nothing is stored.
//   - A broadcast runs in the goroutine of its publisher. It gives the message to the adapter, which
//     accepts it for the other nodes or not, and then calls every subscriber of this node.
//   - The messages of one goroutine to one topic reach each subscriber, on all nodes, in the order
//     in which they were published.
//   - A subscriber that subscribes twice gets every message twice.
//   - Once [Subscription.Ready] is closed, a [GapSubscriber] misses no message of any node without
//     being told.
//   - Messages of other nodes to a topic are received while the topic has subscriptions here, and
//     for Options.Linger after that.
//   - No lock of this package is held while a Subscriber runs, so it may subscribe and cancel. For
//     the same reason a delivery that has begun may arrive after Cancel has returned; a Subscriber
//     that must not get it needs a flag under a lock of its own.
//
// # Adapters
//
// Packages natspubsub and redispubsub connect nodes. Their common part (interest, numbering,
// detection of gaps, proof that nodes are alive) is internal; an adapter for another broker
// implements [Adapter] on its own, and tests it with package pubsubtest.
package pubsub
