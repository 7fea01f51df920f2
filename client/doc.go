// Package client is a client for Phoenix Channels. It connects to a server made with bennu,
// or to Phoenix, over a WebSocket or by long polling.
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
// What a program sends may be any value that encodes to JSON; nil for the empty object; a
// []byte, which is sent as bytes; a [json.RawMessage], which is JSON already; or a [Payload].
// What it receives is decoded by [Payload.Decode], into a []byte if it is bytes. The server
// has the same rules. Bytes need version 2 of the protocol, and Phoenix cannot send them by
// long polling.
//
// Payloads that arrive are shared by all callbacks and iterators, and must not be changed; nor
// must what is decoded from them without a copy.
//
// # Reconnecting
//
// A [Socket] connects again, after growing delays, when its connection breaks or the server
// does not answer a heartbeat. It ends only with [Socket.Close], or when the server closes the
// connection with the code 1000.
//
// A [Channel] that was joined once joins again when the socket is back, when the server
// reports that the channel crashed, and when a join is refused or not answered. It ends with
// [Channel.Leave], or when the server closes the channel. Until it is joined again, pushes
// wait, in order, up to Options.MaxBuffered and Options.MaxBufferedBytes.
//
// The protocol has no acknowledgements. A push whose connection breaks before the reply ends
// with [ErrInterrupted]: the server may or may not have handled it. Events that the server
// sends while the channel is not joined are lost.
//
// # Errors
//
// Errors without details are variables, such as [ErrTimeout]; match them with errors.Is. One that
// has a cause wraps it too: a push that a closed connection interrupts is [ErrInterrupted] and
// [ErrDisconnected], and errors.As finds the [*CloseError] in it. A reply with a status other than
// "ok" is a [*ReplyError].
//
// The text of an error has neither the query of a URL nor a payload, which may hold secrets, except
// for the reason that a server gives.
//
// # Callbacks
//
//   - The callbacks of a channel run one at a time, in the order of their messages. Those of
//     different channels run at the same time.
//   - They run without a lock, on a goroutine of their channel's: a callback may push to its
//     own channel and wait for the reply, leave it, or make others.
//   - At most Options.MaxQueued messages wait for them. A channel that falls further behind is
//     left and joined again, and [Channel.OnError] gets [ErrSlow]. Other channels do not notice.
//   - If a callback panics, its stack is logged and its channel joins again, with [ErrPanic] as
//     the reason.
//   - [Socket.Close] waits for callbacks that run, so a callback must not call it.
//
// All functions and methods may be called from any goroutine at any time.
package client
