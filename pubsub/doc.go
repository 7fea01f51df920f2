// Package pubsub carries messages from publishers to the subscribers of a topic,
// on this node and, through an Adapter, on the others.
//
// It knows nothing of channels, connections or encodings: a Message is carried
// and never looked into, and a Subscriber decides what delivery means.
//
// # Laws
//
//   - Delivery is at most once. Nothing is stored.
//   - A broadcast runs in the goroutine of its publisher. It returns when every
//     subscriber of this node has been handed the message and the adapter has
//     taken it for the other nodes.
//   - The messages of one goroutine to one topic reach each subscriber in the
//     order they were published.
//   - A subscription made twice delivers twice.
//   - Between nodes the same holds for each publisher, and once Subscription.Ready is
//     closed nothing published on any node is missed, unless a GapSubscriber is told so.
//   - A topic is received from other nodes while somebody here is subscribed, and for
//     Options.Linger after that.
//   - No lock of this package is held while a Subscriber runs, so a Subscriber may
//     subscribe and unsubscribe. A delivery that has begun may therefore still
//     arrive after its subscription was cancelled; a Subscriber for whom
//     that matters keeps a flag under a lock of its own.
package pubsub
