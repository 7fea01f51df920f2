// Package redispubsub connects nodes through Redis, or Valkey, which speaks the same
// protocol.
//
//	adapter, err := redispubsub.New(&redispubsub.Options{
//		Node: hostname, // another one on each node
//		URL:  os.Getenv("REDIS_URL"),
//	})
//	...
//	ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: adapter})
//
// # Servers
//
// One server, a master that Sentinels watch over, or a cluster. One server and
// Sentinel work with Redis 5 and later; the cluster uses sharded pub/sub, which Redis has
// had since 7.0 and Valkey from its start. The tests run with Redis 7.
//
// A node listens to one channel for each topic it is interested in, and to nothing
// else, so a message goes to the nodes that want it. In a cluster the channels are
// spread over the shards. The adapter stores nothing: no key is read or written, and
// FLUSHALL, eviction and persistence do not matter.
//
// # Promises
//
// Messages of one publisher to one topic come in order, each at most once. Redis keeps
// nothing for a node that is away. Whenever messages may have been missed (the server
// was away, it cut this node off for reading too slowly, a master failed over, a
// part of a cluster moved) the adapter says so once everything is subscribed again, and
// pubsub tells the subscribers.
//
// While a server is away, what is published waits in Options.Buffer. In a cluster one
// missing shard counts as the broker being away: topics of the others are still
// received, but nothing is sent until it is back or replaced.
//
// Every Options.Probe each connection is tested with a message to this node itself. When that
// does not come back, the connection is made anew within two of them. A node that is late
// itself does not judge.
//
// # Permissions
//
// With an ACL the user needs the channels below the prefix and these commands, those
// in the second line in a cluster only:
//
//	ACL SETUSER bennu on >password resetchannels &bennu.* +publish +subscribe +unsubscribe +hello
//	ACL SETUSER bennu +spublish +ssubscribe +sunsubscribe +cluster|slots
//
// A node does not start with less. When Redis refuses a channel later, Health.Err and the log
// say so, and the subscribers of its topic are told of a gap.
//
// # The server's settings
//
// Redis cuts off a subscriber that is too far behind: client-output-buffer-limit
// pubsub, by default at 32 MiB, or 8 MiB for a minute. Messages of more than 8 MiB are
// refused here. Give Redis a tcp-keepalive (300 s is its default) and the user a
// password; whoever can publish below the prefix is believed, unless Options.Secret is
// set.
package redispubsub
