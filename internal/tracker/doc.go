// Package tracker replicates a set of entries over the nodes of a cluster, without a
// coordinator. It is the store of package presence, as Phoenix.Tracker is that of
// Phoenix.Presence.
//
// A [Tracker] runs one or more states on a PubSub. A state is one replica of the set. Its methods
// take the time and received messages, and return messages to send and the changes. It does no I/O
// and starts no goroutine.
//
// # The model
//
// A replica is one start of one node. It is identified by the name of the node and an incarnation, a
// number that grows from start to start. Only the replica itself adds and removes its entries, with
// one numbered change after the other. So its history is a line, and a number on the line, a clock,
// says up to where another replica knows it. A delta is a part of a line. A replica can merge a delta
// if it knows the line up to the beginning of the delta. Removals have numbers, too, so a missed
// removal is noticed like any missed change. An update is one change: the new entry removes the old
// one.
//
// In every period with changes a replica broadcasts a heartbeat. It has the changes since the last
// one, and the clocks up to which the replica knows the others. A replica that learns from a
// heartbeat that it misses changes asks for them: first the replica that made the changes, then
// others that know more. The answer has the missing changes, or all entries if more removals were
// missed than Options.History. Large answers come in parts; the replica asks for each part after the one
// before. So a message that is lost, doubled or late delays agreement, but cannot prevent it.
//
// An idle replica sends a heartbeat once in MaxSilentPeriods+1 periods, but in every period while
// another replica is down, overdue, or not known to be up to date. A replica that is silent for
// DownPeriod is down: its entries leave, and join again when it is back. After PermdownPeriod it is
// forgotten. It ends at once when it says goodbye, or when a message of a higher incarnation of its
// name comes.
//
// A replica that a higher incarnation has ended may still be running: a second node has its name, or
// its clock was set back before it started. The others report that to it. It then takes a still
// higher incarnation, at most once in a DownPeriod, and tracks its entries again, with new refs.
//
// # Laws
//
//   - A change is in the list of its own replica at once, and reaches the others within a
//     period.
//   - The diffs of a state, applied in order, give its list: every entry joins once before
//     it leaves once.
//   - Only a replica itself removes its entries.
//   - Replicas that receive each other's messages have equal lists in the end, whatever was lost.
//     After a healed partition this takes three periods and the time of the messages. Replicas that
//     have never met, or have forgotten each other, need three periods from the first heartbeat of
//     either; a Tracker sends one after a gap. If two nodes had the same name, it takes up to a
//     DownPeriod longer, from the end of one of them.
//   - No entry comes back after its removal, and no incarnation after a higher one of its name or
//     after its goodbye. A replica is known only from its own heartbeats, never because others
//     list it.
//   - A message has at most Options.MessageBytes. Received lengths and numbers are checked before
//     memory is allocated for them.
//   - An [Entry] and a message never change, and any goroutine may read them.
//
// There is no order among the entries of a list, nor among the diffs of different nodes. An
// update may reach a replica that is far behind as two diffs, with the leave before the join.
// Topics, keys and metas are arbitrary bytes here; package presence makes sure that they are
// valid JSON text before clients see them.
//
// # Goroutines and locks
//
// Each shard of a Tracker has a state, a lock for it, and two goroutines for which Close waits. One
// passes received messages and ticks to the state and sends its messages. The other calls tell with
// the changes, in order. No mutex is held while tell runs. Received messages wait in an inbox that is
// bounded by number and memory. A message that does not fit is dropped and logged; its changes are
// asked for later, as for any lost message.
//
// # Differences from Phoenix.Tracker
//
// In Phoenix.Tracker a replica may have changes of others out of order, in clouds beside their
// clocks, and answers from three collected deltas of 100, 1,000 and 10,000 entries. Here neither is
// needed, since a line has only one writer: a delta that comes out of order is dropped and asked for
// again, and the entries of a replica in the order of their clocks, with its latest removals, are
// enough to answer each request exactly.
package tracker
