// Package presence tracks who is present on a topic, on all nodes of a cluster. A channel
// tracks its user with one call, and every client of the topic gets the joins and leaves. The
// lists of all nodes become equal again after crashes, network partitions and restarts. No
// service is needed besides the PubSub.
//
// A program makes one Presence with [New]. A channel uses it after its join has returned, since
// nothing can be pushed before. So the join function sends a message to its own channel, with
// bennu.Channel.Send, and a method such as this one handles it:
//
//	func (r *room) arrive(context.Context, arrived) error {
//		if err := r.here.PushState(r.Channel); err != nil {
//			return err
//		}
//		_, err := r.here.Track(r.Channel, r.user, r.seat)
//		return err
//	}
//
// The directory examples/presence has the whole program.
//
// Clients get the events of Phoenix.Presence: presence_state with the whole list, and then
// presence_diff for each change. The class Presence of phoenix.js keeps a list from them. Two
// clients that join at the same moment may each get a state without the other; the next diff
// then has the other.
//
// # Keys and metas
//
// An entry is a meta under a key of a topic. The key says who is present, and is usually the id of
// a user. A user with several tabs or phones has several metas under one key. A meta is a value of
// any type that encodes to a JSON object. In the object that clients get, phx_ref names the
// entry, and after an update phx_ref_prev names the entry that it replaced.
//
// Every entry has an owner, and is removed when the owner ends. A channel owns the entries that
// are tracked for it. [Presence.NewOwner] makes owners that are not channels.
//
// # Laws
//
//   - When Track, Update or Untrack returns, the list of this node has the change; its clients get
//     it a moment later. Other nodes have it within a BroadcastPeriod, 1.5 s by default.
//   - The entries of a channel leave when the channel ends, whatever the reason.
//   - The entries of a crashed node leave within a DownPeriod, 30 s by default. Those of a node
//     that calls Close leave at once.
//   - A client that applies its state and the diffs after it has the list of its node.
//   - The diffs of a topic are sent in order. Changes that are made while a diff is sent are
//     merged into the next one; an entry that joined and left in that time is not in it.
//   - A list or diff of more than 64 KiB, or more than a quarter of the smallest queue of a
//     mount, is sent in several messages. A large list begins with
//     presence_state and goes on with presence_diff, which has joins only; each message is sent
//     when half of the client's queue is free. The diffs of a topic may take 256 KiB at once and
//     512 KiB a second. Further changes wait until the clients have read the earlier diffs, and
//     are merged.
//   - The metas of a key have no order.
//
// # Nodes
//
// All nodes of a cluster need the same Options.Name, Shards and Timing. They exchange their changes
// through the PubSub in a form of bennu's own, so they do not share lists with nodes that run
// Phoenix. Every node keeps the entries of all nodes in memory.
//
// # Limits
//
// By default a topic has up to 10,000 entries, a meta up to 4 KiB, and a connection may make 100
// changes at once and 10 a second; see [Limits]. A topic or a key has at most 1 KiB. What exceeds a
// limit is refused with an error, and logged.
//
// # Concurrency
//
// All methods may be called from any goroutine, from callbacks of a channel, and from the
// hooks in [Options]. Only Close must not be called from a hook, since it waits for hooks.
// Changed, First and Last run one at a time. Fetch may run for several topics at once. No lock is
// held while a hook runs. If a hook panics or calls runtime.Goexit, that is logged.
package presence
