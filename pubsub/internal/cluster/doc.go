// Package cluster is the common part of all adapters: [Node] implements pubsub.Adapter over a
// [Link], and a Link does only what differs between brokers: it connects, subscribes and publishes.
//
// The way of a message:
//
//	Broadcast ─► outbox ─► sender ─► Link ─► broker ─► Link ─► lane ─► PubSub
//
// The outbox is bounded in bytes, so a publisher never waits for the broker. The sender is one
// goroutine, so the messages of a publisher to a topic stay in order. On the receiving side each
// topic belongs to a lane, and each lane has a goroutine. A slow subscriber delays only the topics of
// its lane, until the lane is full; then the node stops reading from the broker.
//
// # Channels
//
// A node subscribes at the broker to one channel (subject) for each topic that it wants, to its inbox,
// which has messages for this node alone, and to the control channel, which all nodes share. Each
// topic has a channel name of its own.
//
// # Numbers
//
// Each start of a node has a random number, its boot, and the node numbers the messages that it
// publishes to a channel. So a receiver drops messages that arrive twice or too late, and notices
// missing ones and reports a gap.
//
// # Proofs
//
// A signature shows who made an envelope, but not when. So a node accepts nothing from a boot until
// that has proved that it is alive: until it has answered a random number of this node, in a beat that
// answers a hello or an ask. Earlier messages are held for a while and then dropped. After the proof,
// the numbers of a boot may only rise: those of its messages on each channel, and those of its
// control envelopes on the control channel and in the inbox. Messages from before this node wanted a
// topic are recognized by their serial, which counts all messages of a boot, and are dropped. A boot
// that was silent for too long has to prove itself again.
//
// # Names
//
// A starting node asks all others to answer, and asks the broker whether the channel that the holder
// of its name subscribes to has subscribers. If there are none, it starts; if the holder answers, it
// is refused. If two holders of one name find each other later, the younger leaves the cluster.
//
// # Beats
//
// Every few seconds a node sends a beat on the control channel, which tells the others that it is
// there, its name and its server. The beat also comes back to the node itself. If it does not, the
// broker has stopped delivering, and the link connects again. A [Pulse] makes sure that a node that is
// late itself does not blame the broker.
//
// # Refusals
//
// A broker may refuse channels to a node. A refused topic is not confirmed, its subscribers are told of
// a gap, as are later ones, and the node tries again every second. A refusal of the control channel or
// the inbox counts for all topics. If the node may not publish to a channel, Broadcast fails, and the
// node asks every second by publishing a message that all nodes drop.
//
// # Interest
//
// One goroutine makes all changes of interest, in turns: all changes since its last turn at once. A
// topic is confirmed when the broker has confirmed the subscription. If the broker is itself a cluster
// of servers, every node at another server must also have answered a message that was sent
// after the subscription, and took the same way as it. A node that does not answer in time is no
// longer waited for; if it answers later, and has published meanwhile, the topics have a gap. Messages
// that a node has published before its answer need not arrive, and are not counted as missed.
package cluster
