// Package client is a client of Phoenix Channels: it connects to a server made
// with bennu, or to Phoenix itself, over a WebSocket or by long polling.
//
//	socket, err := client.Dial(ctx, "wss://example.com/socket", nil)
//	...
//	defer socket.Close()
//	room := socket.Channel("room:lobby", map[string]any{"name": "ada"})
//	client.On(room, "shout", func(m Shout) { ... })
//	if _, err := room.Join(ctx); err != nil { ... }
//	reply, err := client.Push[Answer](ctx, room, "ask", Question{...})
//
// # What it does by itself
//
// A [Socket] keeps itself connected: it sends heartbeats, notices when they are
// not answered, and connects again after growing delays, until [Socket.Close] or
// until the server closes with the code 1000. A [Channel] that was joined once
// joins again by itself whenever the connection comes back, the server reports
// that it crashed, or a join is refused or not answered, until [Channel.Leave] or
// until the server closes it. What is pushed meanwhile is kept, within
// [Options.MaxBuffered] and [Options.MaxBufferedBytes], and sent in order.
//
// There is no acknowledgement in the protocol. A push whose reply was due when the
// connection broke ends with [*InterruptedError], and events that the server sent
// while there was no connection are not sent again.
//
// # Callbacks
//
//   - The callbacks of one channel run one at a time and in the order of their
//     messages; those of different channels run at the same time.
//   - No lock is held, and no connection waits: a callback may push to its own channel
//     and wait for the reply, leave it, or make others.
//   - What waits to be handled is bounded by [Options.MaxQueued]. A channel whose
//     callbacks fall further behind is left and joined again, which [Channel.OnError]
//     hears of as [ErrSlow]. Other channels do not notice.
//   - A callback that panics is logged with its stack; its channel is treated like
//     one that crashed, with [*PanicError] as the reason.
//   - [Socket.Close] waits for callbacks that run, so none may call it.
//
// A channel has a goroutine for its callbacks only while there is something to do.
//
// # Concurrency
//
// All functions and methods may be called from any goroutine at any time.
package client
