// Package presence tells who is here: a channel tracks its user with one call, every
// client of the topic sees joins and leaves, and the list is right on all nodes, after
// crashes, partitions and restarts too, with no service but the PubSub underneath.
//
// New makes one for a program. A channel calls it for a message that its join sends to
// itself, with bennu.Channel.Send, since nothing can be pushed before the join has returned:
//
//	func (r *room) arrive(context.Context, arrived) error {
//		if err := r.here.PushState(r.Channel); err != nil {
//			return err
//		}
//		_, err := r.here.Track(r.Channel, r.user, r.seat)
//		return err
//	}
//
// Two clients that come at the same moment may each get a list without the other; the
// diff that follows has it. The directory examples/presence has the whole program.
//
// On the wire it is Phoenix's: the event presence_state with everybody who is here,
// then presence_diff for each change. The stock client's Presence object keeps a list
// from them.
//
// # Keys and metas
//
// An entry is a meta under a key of a topic. A key is what an application asks for,
// usually a user; its metas are where that user is: tabs, phones, each with a meta of its own.
// A meta is any type that encodes to a JSON object. Clients find the fields phx_ref,
// which names the entry, and after an update phx_ref_prev in it.
//
// # Laws
//
//   - A change is in the list of its own node when the call returns, and with the clients
//     of that node a moment later; with other nodes' within a broadcast period, 1.5 s unless
//     configured.
//   - The entries of a channel leave when it ends, however it ends.
//   - The entries of a node that crashed leave within the down period, 30 s unless
//     configured; those of one that was closed in good order at once.
//   - Every client that got a state and the diffs after it has the list of its node.
//   - Diffs of one topic come in their order. Changes that come up while one is being
//     told are told as one diff; who came and went meanwhile is not seen.
//   - A list or a diff of more than 64 KiB is sent in several messages: a list as presence_state
//     with its beginning, then presence_diff with more joins, each when half of the client's
//     queue is free. Diffs of a topic take 256 KiB at once and 512 KiB a second; what is more
//     waits until the clients have read what they were sent, and is told as one.
//   - There is no order among the metas of a key.
//
// # Who calls
//
// All methods may be called from any goroutine, from callbacks of a channel and from
// the hooks of Options, except Close, which waits for hooks. Changed, First and Last run one
// at a time; Fetch runs for several topics at once. No lock is held while a hook runs. A hook
// that panics, or calls runtime.Goexit, is logged.
package presence
