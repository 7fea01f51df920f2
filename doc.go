// Package bennu implements Phoenix Channels for Go. Clients connect over WebSocket or long polling,
// join topics, and exchange messages with channels. The package speaks the protocol of Phoenix, so
// every Phoenix client works with it unmodified.
//
// # A channel
//
// A channel is made of typed functions. Its state is a struct: one value for each joined topic of
// each connection. Only a successful join creates one.
//
//	type ping struct{ *bennu.Channel }
//
//	func joinPing(ctx context.Context, ch *bennu.Channel, _ bennu.Empty) (*ping, bennu.Empty, error) {
//		return &ping{ch}, bennu.Empty{}, nil
//	}
//
//	type pong struct {
//		Ping string `json:"ping"`
//	}
//
//	func (p *ping) ping(ctx context.Context, _ bennu.Empty) (pong, error) { return pong{"pong"}, nil }
//
//	func main() {
//		pings := bennu.Define(joinPing)
//		bennu.On(pings, "ping", (*ping).ping)
//
//		var users bennu.SocketHandler
//		users.Channel("ping:*", pings)
//
//		endpoint := bennu.NewEndpoint(nil)
//		endpoint.Socket("/socket", &users, nil)
//		log.Fatal(http.ListenAndServe(":4000", endpoint))
//	}
//
// A client that joins "ping:lobby" and pushes "ping" gets the reply {"ping":"pong"}.
//
// # Laws
//
//   - The callbacks of one channel run one at a time. Their goroutine exists only while the channel
//     has work; an idle channel has none.
//   - A callback that panics or calls runtime.Goexit ends only its own channel. The client gets
//     phx_error and joins again by itself.
//   - A handler that blocks delays the other channels of its connection only when its mailbox is
//     full, and a Join that blocks delays them until Limits.JoinTimeout has passed.
//   - Messages that one goroutine sends reach each client in the order in which they were sent,
//     except broadcasts that the channel intercepts, which may come later. The reply to a join is
//     the first frame of its channel. Broadcasts follow it, and none that is published after it is
//     missed.
//   - After the reply to a leave, the only frame of that join is its phx_close.
//   - A publisher never waits for a reader. A client that reads too slowly fills its queue, which
//     is bounded, and is then closed with code 1013.
//   - A channel that stays joined loses no message, except broadcasts that the serializer or the
//     transport of its client cannot carry, which are logged. When another message must be dropped,
//     the channel gets phx_error or the connection is closed, and the client joins again.
//   - Go cannot stop a goroutine from outside. When a channel ends, the context of its callback is
//     cancelled, and messages that the callback still sends to the client are discarded.
//
// # What errors do
//
// The error that a handler returns decides what happens next: see Error, Stop, Crash and
// Disconnect. Any other error is logged, and the client gets only the reason "internal".
//
// # Shutdown
//
// Endpoint.Serve runs a server until its context ends and then shuts down. Endpoint.Shutdown does
// the latter for a server of your own.
package bennu
