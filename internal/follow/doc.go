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
package follow
