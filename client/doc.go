// Package client is a client for Phoenix Channels. It connects to bennu or to Phoenix, over a
// WebSocket or by long polling.
//
//	socket, err := client.Dial(ctx, "wss://example.com/socket", nil)
//	...
//	defer socket.Close()
//	room := socket.Channel("room:lobby", map[string]any{"name": "ada"})
//	client.On(room, "shout", func(m Shout) { ... })
//	if _, err := room.Join(ctx); err != nil { ... }
//	reply, err := client.Push[Answer](ctx, room, "ask", Question{...})
//
// # Payloads
//
// A payload to send is nil, for the empty object; a []byte, which becomes a binary frame; a
// [json.RawMessage], which is sent as it is; a [Payload]; or any other value, which is encoded as
// JSON. It is encoded or copied before the call returns. [Payload.Decode] decodes a received
// payload: a binary one into a *[]byte, JSON into any other type. A bennu server follows the same
// rules.
//
// Binary payloads need version 2 of the protocol. Phoenix does not send them by long polling.
//
// All callbacks and iterators that get a message share its payload, which must not be changed. A
// []byte, [json.RawMessage] or [Payload] that Decode sets shares the same memory.
//
// # Reconnecting
//
// A [Socket] connects again, after growing delays, when its connection breaks or the server
// does not answer a heartbeat. It ends only with [Socket.Close], or when the server closes the
// connection with the code 1000.
//
// After its first [Channel.Join] a [Channel] joins again when the socket has connected again, when
// the server reports that the channel crashed, and when a join is refused or not answered. It ends
// with [Channel.Leave], with its socket, or when the server closes the channel. Until it is joined
// again, pushes wait, in order, up to Options.MaxBuffered and Options.MaxBufferedBytes.
//
// The protocol has no acknowledgements. If the connection breaks before the reply to a push has
// come, the push ends with [ErrInterrupted], and the server may or may not have handled it. Events
// that the server sends while the channel is not joined are lost, unless the server keeps a history
// of the topic and the channel resumes; see [Channel.Resume].
//
// # Errors
//
// Errors without details are variables, such as [ErrTimeout]; match them with errors.Is. An error
// that has a cause wraps it: if a close of the connection interrupts a push, the error matches both
// [ErrInterrupted] and [ErrDisconnected], and errors.As finds the [*CloseError] in it. A reply with
// a status other than "ok" is a [*ReplyError].
//
// Payloads and the query of a URL may hold secrets, so the texts of errors have neither. They do
// have the reason that a server gives.
//
// # Callbacks
//
//   - The callbacks of a channel run one at a time, in the order of their messages. Those of
//     different channels run at the same time.
//   - They run without a lock, on a goroutine of their channel: a callback may push to its
//     own channel and wait for the reply, leave the channel, or make others.
//   - At most Options.MaxQueued messages wait for them. A channel that falls further behind is
//     left and joined again, and [Channel.OnError] gets [ErrSlow]. Other channels go on.
//   - If a callback panics, the panic is logged with its stack, [Channel.OnError] gets [ErrPanic],
//     and the channel joins again.
//   - [Socket.Close] waits for running callbacks, so a callback must not call it.
//
// All functions and methods may be called from any goroutine at any time.
package client
