// Package natspubsub connects nodes through NATS: with an existing server or cluster, by [New], or
// with servers that run inside the nodes, by [NewEmbedded].
//
// Each topic with subscribers on a node is one subject to which the node subscribes, so a
// message is sent only to nodes that want it.
//
// # New or NewEmbedded
//
// NewEmbedded needs no other service: each node runs a NATS server in its own process, which
// connects to its peers on a cluster port. It suits up to some dozens of nodes that can reach each
// other. New is for an existing NATS, or for hundreds of nodes that come and go.
//
// # Outages
//
// While a node has no connection to NATS, its subscribers still get the messages of their own node.
// Messages for other nodes wait in a buffer of 8 MiB; when it is full, Broadcast returns
// pubsub.ErrBufferFull. When the node is connected again, it subscribes to all its topics, and
// subscribers that may have missed messages get a gap: channels of a bennu.Endpoint end with
// phx_error, unless the endpoint ignores gaps. In an embedded cluster the same holds for the route
// to each peer. A peer that ends does not cause a gap.
//
// # Times and bounds
//
// NATS has 10 s to confirm subscriptions. When a connection is lost, a node tries all servers at once,
// and then again after about 100 ms, and longer each time, up to 1 s; after a connection of at least 5 s
// the waits are short again. Up to 8,192 messages or about 16 MiB that NATS has sent wait for slow
// subscribers of a node; then the node stops reading, and a NATS server closes the connection of a
// client that reads too slowly. An embedded server waits at its start up to 5 s for the routes to
// peers that run.
//
// # Permissions
//
// Everybody who can publish to the subjects can send messages to every client. Configure users in
// NATS, and allow the user of the nodes to publish and subscribe to "bennu.>", where bennu is the
// Prefix. A node does not start without this permission. If it is revoked later, or if NATS
// limits subscriptions, Health.Err and the log say so, and subscribers of the topics that do
// not arrive get a gap.
//
// With a Secret, nodes sign their messages and drop all others. Embedded servers also demand it from
// peers that connect.
package natspubsub
