// Package natspubsub connects nodes through NATS: a server or cluster that is there
// already, with New, or one that the nodes make among themselves, with NewEmbedded.
//
// NATS carries a topic only to where it is wanted: each topic that somebody on this
// node has joined is one subject at the server, and no node gets anything else.
//
// # Which one
//
// NewEmbedded needs no other service: each node runs a NATS server inside its own
// process, on its cluster port, and routes to its peers. It fits a handful to some
// dozens of nodes that can reach each other. New is for a NATS that is operated
// already, or for nodes that come and go by the hundred.
//
// # When NATS is away
//
// Each node goes on by itself. What it publishes for others waits in a buffer of 8 MiB,
// and then is refused with pubsub.ErrBufferFull. When NATS is back, everything is
// subscribed again, and those who may have missed something are told: the clients of a
// bennu.Endpoint by phx_error, unless it ignores gaps. In an embedded cluster the same goes for the route
// to each peer. A peer that ends is no gap: what it published before has arrived or
// is lost with it.
//
// # Who may publish
//
// Whoever can publish to the subjects can write into every channel. Give NATS
// users, and the nodes' user permission to publish and subscribe to "bennu.>" (the
// prefix): a node does not start with less, and when the permission is taken away later, or
// NATS has a limit on subscriptions, Health.Err and the log say so, and the subscribers of the
// topics that do not arrive are told of a gap. Or set Secret, with which nodes sign what they send and drop everything
// else. An embedded cluster asks its peers for the secret.
package natspubsub
