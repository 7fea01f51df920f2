// Package redishistory keeps the history of topics in Redis, or Valkey, which has the same protocol.
//
//	store, err := redishistory.New(ctx, &redishistory.Options{URL: os.Getenv("REDIS_URL")})
//	...
//	log, err := history.New(ctx, ps, &history.Options{Store: store, Topics: topics})
//
// # Servers
//
// Redis 5 or later may be a single server, a master with Sentinels, or a Redis Cluster, over which the
// topics are spread. All reads and writes go to masters. A store has two connections to each, one for
// appending and one for reading, and sends commands in pipelines.
//
// # Keys
//
// Each topic has a hash, a stream, and a string for each bennu.Key of the last 5 minutes; in a cluster
// they share a hash tag. Every operation is one script, so it happens at one moment:
//
//	{bennu.h.room:1}m      epoch, head, counters, and the last number of the 64 boots that published last
//	{bennu.h.room:1}s      the entries; the ids are their offsets
//	{bennu.h.room:1}kID    the place of the entry with the key ID
//
// They expire 10 times Age, and at least 24 hours, after the last append or the last question of a node
// that follows the topic. Setting noeviction is recommended. Eviction is safe: where the hash is gone, a
// new epoch begins, and clients that resume are told that they have lost their place.
//
// Others should not write to these keys. What they have added to a stream is passed, and removed in time; where they
// have deleted an entry, clients from before it are told that they have lost it; a hash that they have changed is no
// log any more, and a new epoch begins. Options.Logger is told of it. A key of another type is left alone: the
// topic cannot be used until it is deleted, and calls fail with history.ErrUnavailable.
//
// # What is promised
//
// Redis acknowledges a message before replicas have it. If a master dies then, a replica that takes over
// lacks the newest entries. Offsets are not consecutive, so nodes and clients that have those entries
// notice it: they are told that they have lost their place, and go on. Use natshistory where no message that
// was acknowledged may be lost.
//
// # Permissions
//
// With an ACL, the user needs the keys below the prefix and these commands; those of the second line in a
// cluster only:
//
//	ACL SETUSER bennu on >password ~{bennu.h.* +eval +evalsha +hello +time +hmget +hset +hlen +hgetall +hdel +xadd +xrange +xrevrange +xtrim +pexpire +pttl +set +get +del
//	ACL SETUSER bennu +cluster|slots +asking
//
// New fails without them. Sentinels are asked for the address of the master alone.
//
// # Times and bounds
//
// A connection is given Options.DialTimeout, and the answer to a pipeline 3 s, after which the store
// connects again. While the slot of a topic moves to another server of a cluster, appends with a Key, and the first
// one of a topic, fail with history.ErrUnavailable. While a server is away, calls fail with history.ErrUnavailable, and the store tries to
// connect at most every 50 ms to 1 s. A payload has at most 8 MiB, and an event 1,024 bytes. A Read returns at most 1,000 entries.
package redishistory
