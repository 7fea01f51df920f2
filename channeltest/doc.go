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
// Everything but the network is real. The checks of the mount, Connect and ID, joins,
// callbacks, limits and shutdown run as in production, and every message is encoded as
// version 2 of the protocol and decoded again: a test sees what a client gets. The clients of a
// test read everything at once, so slow clients cannot be tested.
//
// # Order
//
// Pushes with one event are expected in the order in which they came. Pushes with different events
// may be expected in any order, and so may replies. What a test does not expect does no harm, except
// for crashes.
//
// An endpoint under test belongs to the goroutine of its test, with its clients. Only Push may be called
// from others.
//
// # Payloads
//
// A payload is any value that encodes to JSON, []byte for bytes, or bennu.Raw for JSON as it
// stands; nil is {}. Write what clients rely on as bennu.Raw: if a test uses the server's own
// types, it does not notice that a JSON tag has changed.
//
// # Waiting
//
// Functions that expect something wait for it, up to Endpoint.Timeout, and end the test as soon as
// it cannot come any more. Functions that expect nothing wait until all messages are handled that
// could lead to it, as Endpoint.Settle does; they wait for no fixed time.
//
// # Failures
//
// A failure shows all messages of all clients, and the errors of callbacks that clients do not
// get. A test also fails if a channel crashes and ExpectCrash is not called, and if a callback
// panics after the end of its channel; the failure has the value and the stack of the panic.
//
// # Time
//
// In a bubble of testing/synctest, an hour passes at once. Make the endpoint within the bubble,
// with everything that belongs to it:
//
//	synctest.Test(t, func(t *testing.T) {
//		room := channeltest.Start(t, newEndpoint()).Connect(t, nil).Join(t, "game:1", nil)
//		time.Sleep(time.Minute)
//		room.ExpectPush(t, "time is up", nil)
//	})
//
// # Cleaning up
//
// When a test ends, its connections are closed, its endpoints are shut down, and their goroutines
// are awaited.
package channeltest
