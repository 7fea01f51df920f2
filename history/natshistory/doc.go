// Package natshistory keeps histories in a stream of NATS JetStream, for package history. It needs NATS
// servers from version 2.10 on, and is quickest from 2.11 on. With three servers, which is the default,
// no message that was acknowledged is lost when one server fails.
//
//	store, err := natshistory.New(ctx, &natshistory.Options{URL: "nats://a:4222,nats://b:4222,nats://c:4222"})
//	log, err := history.New(ctx, ps, &history.Options{Store: store, Topics: topics})
//
// The nodes may be connected by natspubsub with the same servers and the same Prefix, or by any other
// adapter. The servers that natspubsub.NewEmbedded runs inside nodes have no JetStream, since that needs
// a fixed number of servers that stay.
//
// # The stream
//
// There is one stream for all topics, and one subject for each topic. New makes the stream, or checks
// the one that exists. The stream keeps Options.Size messages of each topic; what a history.Topic keeps
// less than that is left out when its history is read. A topic without messages for ten times its Age,
// and at least a day, is removed, unless a node follows it.
//
// The data of a message is a line of JSON and then the payload, so that the command nats shows it. The
// line has the epoch, the offset of the message before, and what else the package needs. An offset is
// the sequence of the message in the stream times 1,024, and 10 bits of the hash of its id.
//
// # Epochs
//
// A topic gets a random epoch with its first message, and every later message has it, too. Rotate
// replaces all messages of the subject by one with a new epoch, in one step of the server, and only if
// the newest message is still the one that it has read. So each topic has an epoch of its own, two nodes
// never begin different ones, and a stream that was made anew, or a topic that was removed, begins with
// new epochs.
//
// # Failures
//
// A publisher names the message behind which it publishes, and each message has an id that the server
// knows for five minutes. So nothing is doubled, however often a node tries again. If an answer is lost,
// or the stream has no leader, the store tries again until the context of the call ends.
//
// NATS writes to disk some time after it has acknowledged, two minutes by default. If all servers that
// have a message lose their power at once, or the only one does, the newest messages may be lost. Set sync_interval of
// JetStream to always where that may not be. A key of a message that was trimmed away already is
// forgotten when the leader of the stream changes.
//
// # What a call costs
//
// An append is one message and its acknowledgement while this node alone appends to the topic, and two or three
// round trips when others do. A Read asks the leader for the head, and any server for up to 256 messages or
// 1 MiB at a time. If Size, Bytes or Age of the history.Topic have cut the log since the last Read, it first
// looks for the oldest message that is kept, in about as many requests as the logarithm of its distance. Heads
// asks for 500 topics at once, or 4 MiB of their newest messages; servers before 2.11 are asked for each topic, 64 at a time. An answer that
// does not come within 2 s is given up, and the request is repeated.
//
// # Permissions
//
// Everybody who can publish below the Prefix can send messages to every client. Allow the user of the
// nodes to subscribe to "bennu.i.>" and to publish to these subjects, where bennu is the Prefix and
// bennu_history the Stream:
//
//	bennu.l.*
//	bennu.k
//	bennu.k.*
//	$JS.API.STREAM.INFO.bennu_history
//	$JS.API.STREAM.CREATE.bennu_history
//	$JS.API.STREAM.MSG.GET.bennu_history
//	$JS.API.STREAM.PURGE.bennu_history
//	$JS.API.DIRECT.GET.bennu_history
//
// STREAM.CREATE may be left out if the stream exists. New tries all others, and fails if one is
// missing.
package natshistory
