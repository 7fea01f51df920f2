// Package redispubsub connects nodes through Redis, or Valkey, which has the same protocol.
//
//	adapter, err := redispubsub.New(&redispubsub.Options{
//		Node: hostname, // different on each node
//		URL:  os.Getenv("REDIS_URL"),
//	})
//	...
//	ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
//
// # Servers
//
// Redis may be a single server, a master with Sentinels, or a Redis Cluster. The first two work
// with Redis 5 and later. A cluster needs sharded pub/sub, which Redis has since 7.0 and Valkey
// from the start. The tests run with Redis 7. A single server and Sentinels must be reached
// directly: proxies in front of Redis often do not forward pub/sub.
//
// A node subscribes to one channel for each topic with subscribers, so a message is sent only to
// nodes that want it. In a cluster, the channels are spread over the shards. The adapter stores
// nothing: it reads and writes no keys, so FLUSHALL, eviction and persistence do not matter.
//
// A node has two connections to each server, one that subscribes and one that publishes, and now and
// then a third for a moment, which asks a Sentinel or a node of the cluster about the topology.
//
// # Outages
//
// Redis keeps no messages for a node that is disconnected. If the server was down, closed the
// connection of a slow reader, failed over or moved slots, messages may have been missed. The
// subscribers then get a gap, as soon as the node has subscribed to everything again.
//
// While a server is away, messages for other nodes wait in a buffer, which Options.Buffer bounds.
// In a cluster, one missing shard counts as an outage: topics of the other shards are still
// received, but nothing is sent until the shard is back or replaced.
//
// In every period of Options.Probe the node sends a message to itself through each server. If it
// does not come back, the node connects again within two periods.
//
// # Times and bounds
//
// A connection is given Options.DialTimeout, and the answer to a command 3 s. Between attempts to
// connect the node waits about 100 ms, and longer each time, up to 1 s; after a session of at least
// 5 s the pauses are short again. In a cluster the node fetches the map of the slots when a server
// says that a channel has moved, and every 30 s. Messages are published in pipelines of up to 128
// messages and about 256 KiB for all servers together. A message from Redis of more than 8 MiB is
// read as an empty one and counted in Health.Garbage.
//
// # Permissions
//
// With an ACL, the user needs the channels below the prefix and these commands; those of the second
// line in a cluster only:
//
//	ACL SETUSER bennu on >password resetchannels &bennu.* +publish +subscribe +unsubscribe +hello
//	ACL SETUSER bennu +spublish +ssubscribe +sunsubscribe +cluster|slots
//
// A node does not start without them. If Redis refuses a channel later, Health.Err and the log say
// so, and the subscribers of its topic get a gap.
//
// # Settings of the server
//
// Redis closes the connection of a subscriber that reads too slowly: one for which more waits than
// client-output-buffer-limit pubsub allows, by default 32 MiB, or 8 MiB for a minute. The adapter
// refuses messages of more than 8 MiB. Set tcp-keepalive (300 s by default), and a password for the
// user. Everybody who can publish below the prefix can send messages to every client, unless
// Options.Secret is set.
package redispubsub
