// Package history keeps the broadcasts of topics, so that a client that was away gets exactly what it
// missed: every broadcast, in order, none twice, or the answer that this is not possible.
//
//	log, err := history.New(ctx, ps, &history.Options{
//		Topics: []history.Topic{{Pattern: "room:*", Size: 1000, Age: time.Hour}},
//	})
//	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log})
//	endpoint.OnShutdown(ps.Close)
//	endpoint.OnShutdown(log.Close) // runs first
//
// A broadcast on a topic that a pattern matches, a kept topic, is appended to a [Store] first. The store
// gives it an [Offset]. Then it travels to the subscribers of all nodes as other broadcasts do. A node
// that does not hear of it reads it from the store. Without Options.Store the messages are in the
// memory of the one node; packages redishistory and natshistory have stores for several nodes.
//
// # Publishing
//
// These are the laws of the methods Broadcast, BroadcastFrom and Publish of package bennu on a kept
// topic.
//
//   - They return when the store has the message, at the latest after Options.PublishTimeout. The
//     subscribers of this node have it then, too, unless a message of another node before it is still
//     under way.
//   - After an error no subscriber on any node has got the message, and none will. [ErrUnknown] alone
//     means that this is not known. It holds for each call by itself: when a message is published again
//     after ErrUnknown, ErrUnavailable is about the second call, and the first may have succeeded.
//   - The same holds if ctx ends meanwhile. Before the store is asked the error is ErrUnavailable, and
//     while it is asked ErrUnknown. The errors wrap the cause of ctx.
//   - What goes wrong after the store has the message is no error. It is counted in Stats().History of
//     the endpoint.
//   - Messages that one goroutine publishes keep their order. Those of several goroutines and nodes are
//     ordered by the store, the same for all subscribers everywhere.
//   - Each node appends one message of a topic at a time. Messages of different topics do not wait for
//     each other.
//   - An append whose answer was lost is tried again until the time is over. The store takes it once.
//   - A message with a Key is published once within [KeyTime], by whichever node and however often.
//
// Endpoint.Disconnect and messages that a program gives to the PubSub itself are not kept.
//
// # Reading
//
// Endpoint.History and [Log.Read] read pages of a topic from the store, forwards and backwards. What is
// older than Size, Bytes and Age of a [Topic] allow is not returned. A message in the store that no
// program can have published is left out.
//
// # Epochs
//
// The log of a topic has an epoch, and offsets of different epochs are never taken for each other. A
// new epoch begins with [Log.Erase], when a store has lost its messages or some of the newest, and in
// the store in memory also when the program starts again, or the topic is forgotten because
// Options.StoreBytes is reached.
//
// # Goroutines
//
// A Log owns all its goroutines, and Close waits for them. A store other than the default one is called
// in a goroutine of its own for each append, so that a publish ends in time even if the store does not.
// Subscribers are called without a lock. A subscriber must not wait for a broadcast on its own topic.
package history
