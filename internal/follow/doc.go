// Package follow follows the logs of kept topics on one node: it gives the entries of a topic to the
// topic's subscribers, in the order of the log, each once and none left out, whatever the broker
// between the nodes loses, doubles or reorders. Package history uses it, and package bennu subscribes
// channels through it.
//
// A follower exists for each kept topic that has subscriptions on this node, and for a while after
// them. It is one subscriber of the PubSub. Entries that arrive there are taken if they continue the
// head. Others wait until the missing ones have arrived, or are read from the store.
//
// Entries that were taken or read lately are in memory. Subscribers that are behind read them from
// there; one read of the store serves all of them.
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
