// Package bennu is Phoenix Channels for Go: clients connect over WebSocket or long
// polling, join topics, and exchange messages with channels. It speaks the protocol of Phoenix,
// so that every Phoenix client works with it unmodified.
//
// # A channel
//
// A channel is made of typed functions. Its state is a struct, one value for each
// topic and connection; the only way to get one is a successful join.
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
// A client that joins "ping:lobby" at the socket and pushes "ping" gets the
// reply {"ping":"pong"}.
//
// # Laws
//
//   - The callbacks of one channel run one at a time, in goroutines that exist only
//     while there is something to do. An idle channel has none.
//   - A callback that panics, blocks or calls runtime.Goexit touches its own
//     channel only. The client gets phx_error and joins again by itself.
//   - What one goroutine emits reaches each client in that order. The reply to a
//     join is the first frame of its channel; broadcasts follow it, and none
//     published after it is missed.
//   - After the answer to a leave, no frame of that join follows.
//   - A publisher never waits for a reader. A client that reads too slowly is
//     closed with 1013 when its bounded queue is full.
//   - No message is lost on a channel that goes on: where one had to be dropped, the
//     channel gets phx_error or the connection closes, and the client joins again.
//   - Go cannot stop a goroutine from outside. When a channel ends, the context of its
//     callback ends, and what the callback still emits to the client is discarded.
//
// # What errors do
//
// A handler's error steers the runtime: see Error, Stop, Crash and Disconnect. Any
// other error is logged, and the client is told "internal" and no more.
//
// # Shutdown
//
// Endpoint.Serve runs a server until its context ends and then drains it;
// Endpoint.Shutdown does that for a server of your own.
package bennu
