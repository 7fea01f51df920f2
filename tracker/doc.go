// Package tracker keeps a set of entries the same on every node of a cluster,
// without a coordinator: who is where, as Phoenix's tracker does. [State] is the
// heart of it: one replica, as a value that is told the time and is handed
// messages, and returns messages and what has changed. It does no I/O.
//
// # The model
//
// A [Replica] is one start of one node. Only it adds and removes its own entries,
// one numbered change after the other, so its history is a line. To know a
// replica up to a clock is to know every change up to that number; a delta is a
// stretch of the line, good for whoever knows it up to where the stretch begins.
// A removal has a number too, so a removal that was missed is missed by its
// number. An update is one change: the new entry, whose making removes the old one.
//
// In every period with changes a replica broadcasts a heartbeat with its latest
// stretch and how far it knows the others. Whoever sees that something is
// missing asks, first the replica itself and then others that know more, and is
// answered with what it misses; or, when it missed more removals than
// [Config.History], with all entries. What is large comes in parts, each asked for
// after the one before. So a message that is lost, doubled or late delays the
// agreement and cannot spoil it.
//
// An idle replica beats once in [Config.MaxSilentPeriods]+1 periods, but in every
// one while somebody is down, overdue, unknown, or not known to know all. Who is silent
// for [Config.DownPeriod] is down: its entries leave, and join again when it is
// back. After [Config.PermdownPeriod] it is forgotten. A later incarnation of its
// name, or [State.Goodbye], ends it at once.
//
// A replica that a later one of its name has ended may live: a second node has the
// name, or the clock went back before this start. The others tell it so, and it
// takes a higher incarnation, at most once in a DownPeriod: its entries are tracked
// anew, with new refs. See [State.Superseded].
//
// # Laws
//
//   - A change is in the list of its own replica at once, and reaches the others
//     within a period.
//   - The diffs that a State returned, folded in their order, are its list: every
//     entry joins once before it leaves once.
//   - A replica's own entries are removed by nobody else.
//   - Replicas that hear each other list the same in the end, whatever was lost. After
//     a healed partition that takes three periods and the time of the messages;
//     for replicas that never met before it, or that forgot each other, three from
//     the first heartbeat of either (see [State.Wake]). Where nodes had one name, it
//     takes up to a DownPeriod more, from when one of them is left.
//   - What is gone does not come back: no entry after its removal, no incarnation after a
//     later one of its name or after its goodbye, no replica because others list it.
//   - A message takes at most [Config.MessageSize] bytes. What comes in is
//     checked before memory is taken for it.
//   - An [Entry] and a [Message] never change. Any goroutine may read them.
//
// What is not promised: an order of entries in a list, an order between the diffs of
// different nodes, and that an update is one diff elsewhere when the change is far
// behind, in the later parts of a transfer: there the old entry may leave before
// the new one joins. Topics, keys and metas are bytes to this package; whoever
// shows them to clients sees to it that they are valid there.
//
// # Who calls
//
// One goroutine at a time calls a State, or several under a lock. A runtime calls
// [State.Tick] once in every [Config.BroadcastPeriod] and [State.Receive] for every
// message that [Decode] takes, sends what they return, with [Message.Append], to
// everybody or to the one node of [Message.To], and tells its users of each
// [Diff] in order. [State.Track], [State.Update], [State.Untrack] and
// [State.UntrackOwner] are for the users of this node, and send nothing until the
// next Tick. At the end it sends [State.Goodbye], or the others will miss it
// for a DownPeriod.
//
// # Where it differs from Phoenix's tracker
//
// There every replica may hold changes of others that came out of order, in clouds
// beside their clocks, and three collected deltas of 100, 1,000 and 10,000 entries to
// answer with. Since only one replica writes a line, neither is needed here: deltas
// out of order wait to be asked for, and the entries in the order of their clocks
// with the latest removals give each asker exactly what it misses.
package tracker
