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
// Only the network is replaced. The checks of the mount, Connect and ID, joins, callbacks, limits
// and shutdown run as in production, and every message is encoded as version 2 of the protocol and
// decoded again, so a test sees what a client gets. A client of a test takes every frame at once, so
// slow clients cannot be tested.
//
// # Order
//
// Pushes with the same event are expected in the order in which they came. Pushes with different
// events, and replies, may be expected in any order. Messages that a test does not expect are
// ignored, except for crashes.
//
// Functions with a testing.TB end the test with Fatalf when they fail, so call them from the
// goroutine of the test. Only Channel.Push may be called from others.
//
// # Payloads
//
// A payload is a []byte, for a binary payload; a bennu.Raw, which is JSON already; a bennu.Payload;
// nil, for {}; or any other value, which is encoded as JSON. Write a payload on whose JSON clients
// rely as bennu.Raw: a test that uses the server's own types does not notice a changed JSON tag.
//
// # Waiting
//
// Functions that expect a message wait for it, up to Endpoint.Timeout, and fail as soon as it cannot
// come any more. Functions that expect no message first wait, as Endpoint.Settle does, until all
// messages are handled that could cause one. They do not wait for a fixed time.
//
// # Failures
//
// A failure shows the last 200 messages of all clients, and the errors of callbacks, which clients
// do not get. A test also fails if a channel crashes and ExpectCrash is not called, and if a
// callback panics after the end of its channel. The failure has the value and the stack of the
// panic.
//
// # Time
//
// In a bubble of testing/synctest the clock is fake, and an hour passes at once. Make the endpoint
// and everything that belongs to it inside the bubble:
//
//	synctest.Test(t, func(t *testing.T) {
//		room := channeltest.Start(t, newEndpoint()).Connect(t, nil).Join(t, "game:1", nil)
//		time.Sleep(time.Minute)
//		room.ExpectPush(t, "time is up", nil)
//	})
//
// # Missed messages
//
// Client.Cut loses a connection, and Channel.Rejoin joins again with the position of the last message.
// Channel.ExpectResumed expects what the client is told of those that it has missed. The topic needs a
// history; see package history.
//
// # Cleaning up
//
// When a test ends, its clients close their connections, its endpoints are shut down, and it waits for
// their goroutines.
package channeltest
