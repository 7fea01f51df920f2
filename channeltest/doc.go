// Package channeltest tests channels without a network.
//
//	func TestShout(t *testing.T) {
//		endpoint := channeltest.Start(t, newEndpoint())
//		ann := endpoint.Connect(t, nil).Join(t, "room:lobby", person{"ann"})
//		bob := endpoint.Connect(t, nil).Join(t, "room:lobby", person{"bob"})
//
//		ann.Push(t, "shout", shout{"hi"}).ExpectOK(t)
//		bob.ExpectPush(t, "shouted", shouted{"ann", "hi"})
//		bob.ExpectNoPush(t)
//	}
//
// All is real but the network: the checks of the mount, Connect and ID, joins,
// callbacks, limits and shutdown run as in production, and every message goes through
// version 2 of the protocol in both directions, so what a test sees is what a client
// gets. A client of a test reads everything at once; how a slow one is treated is a matter of
// the transport.
//
// A payload is any value that encodes to JSON, []byte for a binary one, or bennu.Raw for
// JSON as it stands. Write what clients rely on as bennu.Raw: with the server's own types
// on both sides a test does not notice that a JSON tag has changed.
//
// # What is waited for
//
// Functions that expect something wait for it, up to Endpoint.Timeout, and end the test
// when it can come no more. Those that expect nothing do not wait for a time, but
// until everything is handled that could bring it about; Endpoint.Settle has what that
// promises.
//
// # What fails a test
//
// What did not come, with all that did, on all clients, and the errors of callbacks that
// clients are not told. A channel that crashes without being expected to, with the
// value and the stack of the panic. A callback that panics after its channel has ended.
//
// # Time
//
// In a bubble of testing/synctest everything works as it does outside, and an hour passes
// in no time. Make the endpoint within the bubble, with what belongs to it:
//
//	synctest.Test(t, func(t *testing.T) {
//		room := channeltest.Start(t, newEndpoint()).Connect(t, nil).Join(t, "game:1", nil)
//		time.Sleep(time.Minute)
//		room.ExpectPush(t, "time is up", nil)
//	})
//
// # Cleaning up
//
// Connections close and endpoints shut down when their test ends, through t.Cleanup. It
// is waited for all that runs, so that no goroutine is left.
package channeltest
