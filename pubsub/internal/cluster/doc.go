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
// # Proofs
//
// A signature says who made an envelope, and not when. So a node takes nothing from a
// boot before that has answered a random number of its own: in a beat, as the answer to
// a hello or an ask. What comes before is held for a moment, then dropped. From then on the
// numbers of that boot only rise: of its messages on each channel, of its control envelopes
// on each way. What it published before this node took interest in a topic is told by its
// serial, which counts all its messages; an old one is dropped. A boot that fell silent must
// prove itself again.
//
// # Names
//
// A node that starts asks all others to answer, and the broker whether somebody listens
// where only the holder of its name does. It starts when nobody does, and is refused when the
// holder answers. Holders that find each other later compare when they started: the younger
// leaves.
//
// # Beats
//
// Every few seconds a node sends a beat on the control channel. It tells the others
// that it is there, under which name, and where. It comes back to the node itself
// as well: when it does not, the broker has stopped delivering without a word, and
// the link is made anew. A Pulse sees to it that a node which is late itself does not
// take that for the broker's silence.
//
// # Refusals
//
// A broker may be there and not let this node use a channel. A topic that is refused is not
// confirmed, its subscribers are told of a gap, again and again for those who come later,
// and it is tried again each second. What the node needs for itself, control and inbox,
// counts for all topics. A channel that may not be published to makes Broadcast fail, and
// is asked for each second with a message that every node drops.
//
// # Interest
//
// Changes of interest are made by one goroutine, all that have come up since its last
// turn at once. A topic is confirmed when the broker has said so and, where the
// broker is itself a cluster, every other node has answered a message that was sent
// after it: the way of that message is the way that the interest went. A node that does not
// answer in time is waited for no longer. When it does answer, and has published meanwhile,
// those topics have a gap. What a node published before it answered need not come: such
// messages are not counted as missed, though others from before may have come, published
// again by a stranger.
package cluster
