// Package presence tracks who is present in a topic, on all nodes of a cluster. A channel
// tracks its user with one call, and every client of the topic is told of joins and leaves.
// The lists of all nodes become equal again after crashes, network partitions and restarts. No
// service is needed but the PubSub underneath.
//
// A program makes one Presence with [New]. A channel uses it when its join has returned,
// since nothing can be pushed before: the join sends a message to its own channel, with
// bennu.Channel.Send, and this method handles it:
//
//	func (r *room) arrive(context.Context, arrived) error {
//		if err := r.here.PushState(r.Channel); err != nil {
//			return err
//		}
//		_, err := r.here.Track(r.Channel, r.user, r.seat)
//		return err
//	}
//
// The program is in the directory examples/presence.
//
// Clients get the events of Phoenix.Presence: presence_state with everybody who is present,
// and then presence_diff for each change. The Presence object of phoenix.js keeps a list from
// them. Two clients that join at the same moment may each get a state without the other; the
// diff that follows has the other.
//
// # Keys and metas
//
// An entry is a meta under a key of a topic. The key says who is present, usually a user's id.
// A user with several tabs or phones has several metas under one key. A meta is a value of
// any type that encodes to a JSON object. In the object that clients get, phx_ref names the
// entry, and after an update phx_ref_prev names the entry that it replaced.
//
// Every entry has an owner and is removed with it. A channel owns what is tracked for it, and
// [Presence.NewOwner] makes owners that are no channel.
//
// # Laws
//
//   - A change is in the list of its own node when the call returns, and sent to the clients
//     of that node a moment later. Other nodes have it within a BroadcastPeriod, 1.5 s by
//     default.
//   - The entries of a channel leave when the channel ends, for whatever reason.
//   - The entries of a crashed node leave within a DownPeriod, 30 s by default. Those of a node
//     that calls Close leave at once.
//   - A client that applies its state and the diffs after it has the list of its node.
//   - The diffs of a topic are sent in order. Changes that come while a diff is sent are
//     merged into the next one; an entry that joins and leaves meanwhile is not in it.
//   - A list or diff larger than 64 KiB, or than a quarter of the smallest queue of a mount, is
//     sent in several messages. A list is presence_state
//     with its beginning, followed by presence_diff with joins, each sent when half of the
//     client's queue is free. Diffs of a topic may take 256 KiB at once and 512 KiB a second;
//     further changes wait until the clients have read the ones before, and are merged.
//   - The metas of a key have no order.
//
// # Concurrency
//
// All methods may be called from any goroutine, from callbacks of a channel, and from the
// hooks in [Options]. Close is the exception: it waits for hooks, so none may call it.
// Changed, First and Last run one at a time; Fetch runs for several topics at once. No lock is
// held while a hook runs. A hook that panics or calls runtime.Goexit is logged.
package presence
