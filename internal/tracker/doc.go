// Package tracker replicates a set of entries over the nodes of a cluster, without a
// coordinator. It is the store below package presence, and does for it what
// Phoenix.Tracker does for Phoenix.Presence.
//
// A [Tracker] runs one or more states on a PubSub. A state is one replica of the set: it
// is told the time and handed messages, and returns messages to send and what changed. It
// does no I/O and starts no goroutine.
//
// # The model
//
// A replica is one start of one node, named by the node's name and an incarnation, a number
// that grows from start to start. Only the replica itself adds and removes its entries, one
// numbered change after the other, so its history is a line, and a number on it, a clock,
// says how much of it somebody knows. A delta is a stretch of a line: it can be merged by
// whoever knows the line up to where the stretch begins. Removals are numbered too, so a
// missed removal is noticed like any missed change. An update is one change: the new entry
// removes the old one.
//
// In every period with changes a replica broadcasts a heartbeat. It carries the changes since
// the last one, and how far the replica knows each of the others. A replica that sees
// that it misses something asks for it: first the replica whose changes they are, then
// others that know more. The answer holds the missing changes, or, after more missed
// removals than Options.History, all entries. Large answers come in parts, and each part is
// asked for after the one before. So a message that is lost, doubled or late delays
// agreement, and cannot prevent it.
//
// An idle replica sends a heartbeat once in MaxSilentPeriods+1 periods, but in every period
// while some other replica is down, overdue, or not known to be up to date. A
// replica that is silent for DownPeriod is down: its entries leave, and join again when it is
// back. After PermdownPeriod it is forgotten. It ends at once when it says goodbye, or when a
// higher incarnation of its name is heard.
//
// A replica that was ended by a higher incarnation may still be running: a second node has
// its name, or its clock was set back before it started. The others tell it so. It then takes
// a still higher incarnation, at most once in a DownPeriod, and its entries are tracked anew,
// with new refs.
//
// # Laws
//
//   - A change is in the list of its own replica at once, and reaches the others within a
//     period.
//   - The diffs of a state, applied in order, give its list: every entry joins once before
//     it leaves once.
//   - Only a replica itself removes its entries.
//   - Replicas that hear each other have equal lists in the end, whatever was lost. After a
//     healed partition this takes three periods and the time of the messages. Replicas that
//     never met before, or have forgotten each other, need three periods from the first
//     heartbeat of either; a Tracker sends one after a gap. If two nodes had the
//     same name, it takes up to a DownPeriod longer, from the end of one of them.
//   - Nothing comes back: no entry after its removal, no incarnation after a higher one of
//     its name or after its goodbye. A replica is known only from its own heartbeats,
//     never because others list it.
//   - A message takes at most Options.MessageBytes. Received lengths and numbers are checked
//     before memory is allocated for them.
//   - An [Entry] and a message never change, and may be read by any goroutine.
//
// There is no order among the entries of a list, nor among the diffs of different nodes. An
// update may reach a replica that is far behind as two diffs, with the leave before the join.
// Topics, keys and metas are arbitrary bytes here; package presence makes sure that they are
// valid JSON text before clients see them.
//
// # Goroutines and locks
//
// Each shard of a Tracker has a state, a lock for it, and two goroutines that Close
// awaits. One hands received messages and ticks to the state and sends its answers; the
// other calls tell with the changes, in order. No lock is held while tell runs. Received
// messages wait in an inbox that is bounded by number and memory; a message that does not fit
// is dropped, logged, and made up for like any lost message.
//
// # Differences from Phoenix.Tracker
//
// In Phoenix.Tracker a replica may hold changes of others out of order, in clouds beside
// their clocks, and answers from three collected deltas of 100, 1,000 and 10,000 entries.
// Since a line has only one writer, neither is needed here: a delta that comes out of order
// is dropped and asked for again, and a replica's entries in the order of their clocks,
// with its latest removals, give each asker exactly what it misses.
package tracker
