// Package follow follows the logs of kept topics on one node: it gives the entries of a topic to the
// topic's subscribers, in the order of the log, each once and none left out, whatever the broker
// between the nodes loses, doubles or reorders. Package history uses it, and package bennu subscribes
// channels through it.
//
// A follower exists for each kept topic that has subscriptions on this node, and for Options.Linger
// after the last of them has ended. It is one subscriber of the PubSub, and stands there for all
// subscriptions of the topic.
//
// # The way of an entry
//
// An entry has an offset, and names the offset of the entry before it, its Prev.
//
//   - Arrival (tell.go, arrive.go). Package history calls Followers.Tell when the store has a message. That
//     gives it to the PubSub, and the PubSub gives it to follower.Deliver, on this node and, by the
//     adapter, on others. A message without a place, such as one of LocalBroadcast, goes on to all
//     subscribers at once.
//   - Chain (chain.go). An entry up to the head was taken before, and is dropped. An entry whose Prev is the
//     head is taken. Any other waits in the chain, where it is found by its Prev.
//   - Take (take.go, snapshot.go). The head moves to the entry, the entry enters the ring, and the subscribers
//     get it. Then what continues it in the chain is taken. The goroutine that brings the entry does this, unless another
//     one does so already; after 64 entries a goroutine of Followers.tasks goes on.
//   - Ring (run.go, memory.go, cache.go). The newest entries stay in memory for subscribers that are behind,
//     which read them by Subscription.Next. Older pages that were read from the store are beside the ring, in
//     follower.old. Followers.cache bounds the memory of all topics, and removes what was used least lately.
//
// As a picture:
//
//	Tell, adapter
//	     |
//	  Deliver --- Prev is the head ---> take ---> ring ---> subscribers that are live
//	     |                               ^         |
//	     +---- otherwise ---> chain -----+         +---> Next, for those that are behind
//	                            |        |                 |
//	                  hole of 20 ms      |          not in memory
//	                            |        |                 |
//	                            +---> repair              fill ---> pages beside the ring
//	                                     |                 |
//	                                     +---- Source -----+
//
// # When entries are missing
//
//   - Start (start.go, hold.go). Once the broker has confirmed the interest in the topic, the store is asked
//     for the head. Entries that arrive meanwhile wait in the chain.
//   - Repair (repair.go). If the chain has a hole for 20 ms, or the broker says that messages may be lost, the
//     store is read from the head on, and what it has is taken.
//   - Fill (fill.go, find.go, back.go). A position before what is in memory is read from the store, page by
//     page, once for all who want it. Find tells whether a position is a place of the log, and Back goes some entries
//     back from the head.
//   - Check (watch.go, heads.go). A node may end between the append and the adapter, so that nobody hears of
//     its entry. So the store is asked for the head of each topic once in every Options.Check. When a peer
//     is gone or the adapter is back it is asked for all heads at once, and while the adapter is away each second.
//     A head that is not that of the follower is repaired.
//   - Rotation (rotate.go). If the store does not know the head of the follower, it has lost entries which
//     this node has. The follower begins a new epoch in the store, so that no position of the old one is
//     known on any node, tells its subscribers (Breaker), and goes on with the new log. Begin (begin.go)
//     gives a topic without a log its first epoch.
//
// reads.go has what a follower wants from the store, and readers.go the goroutines that read. While the
// store fails, all of these are tried again, 50 ms to 1 s later.
//
// # Who calls
//
//   - Package history calls Hold before it appends a message, Tell when the store has it, and then
//     Hold.Release. After an Erase it calls Ask.
//   - Package bennu subscribes a channel, and calls Begin, then Find or Back, before the channel opens.
//     When it opens, and when it has caught up, it calls Join. While the channel is behind, its reader calls
//     Next, and Fill if Next says that the entries are not in memory.
//   - The PubSub calls Deliver, Gap and Subscribers of each follower.
//
// # Laws
//
//   - The entries that are taken are consecutive links of the log: an entry is taken only if its Prev is the
//     head and its epoch that of the follower, and a page of the store only if its entries follow each other.
//   - One goroutine takes at a time, so all subscribers get the entries in that order. follower.taking says
//     that there is one.
//   - Subscription.Join runs under the lock that is held while the head moves. A channel that finds itself at
//     the head there misses nothing from then on, and gets nothing twice.
//   - Nothing is lost for good: what does not arrive is found by the Prev of the next entry, or by the check.
//   - What this node does not make itself is checked before it enters the ring (entry.go). An entry that is not
//     sound is replaced by an empty one at the same place, so that the chain goes on.
//   - All that waits is bounded: the chain by 1,024 entries and 1 MiB, the memory by Options.CacheBytes. What
//     is dropped because of that is read from the store later.
//
// # Locks
//
// The order is Followers.mu, follower.mu, and then one of those of the queues: asker.mu, readers.mu,
// alarms.mu and watch.mu. The locks of a channel and of its connection come after follower.mu, in the
// function given to Subscription.Join. No lock is held while a subscriber, the Source, the PubSub or a
// function given to Fill is called.
//
// # Goroutines
//
// All goroutines belong to Followers.tasks, for which Close waits. There is one that watches the state of
// the adapter, and there are some, within bounds, while the store is asked or read. A follower has none,
// except while it waits for the interest of the broker. Entries are taken by the goroutine that brings
// the one which continues the head.
package follow
