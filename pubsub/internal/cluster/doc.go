// Package cluster is what an adapter needs whichever broker it is for: Node
// implements pubsub.Adapter over a Link, and a Link is only what the broker does:
// connect, subscribe, publish.
//
// A message goes
//
//	Broadcast ─► outbox ─► sender ─► Link ─► broker ─► Link ─► lane ─► PubSub
//
// The outbox is bounded in bytes, so a publisher never waits for the broker. The
// sender is one goroutine, so what one publisher says to one topic stays in order.
// On the other side each topic has a lane, and each lane a goroutine: topics do not
// wait for each other, until a lane is full, and then the broker does.
//
// # Channels
//
// A node listens at the broker on one channel (subject) for each topic it is
// interested in, on one for what is meant for it alone (its inbox), and on one that
// all nodes share (control). Topics become channel names injectively.
//
// # Numbers
//
// Each start of a node has a random number, its boot, and numbers what it publishes
// to a channel. A receiver therefore knows what came twice, or too late, and drops
// it; and what is missing, and says so.
//
// # Beats
//
// Every few seconds a node sends a beat on the control channel. It tells the others
// that it is there, under which name, and where. It comes back to the node itself
// as well: when it does not, the broker has stopped delivering without a word, and
// the link is made anew.
//
// # Interest
//
// Changes of interest are made by one goroutine, all that have come up since its last
// turn at once. A topic is confirmed when the broker has said so and, where the
// broker is itself a cluster, every other node has answered a message that was sent
// after it: the way of that message is the way that the interest went.
package cluster
