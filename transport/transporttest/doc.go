// Package transporttest is the test suite that every transport must pass. To use it, write one test
// with a client of the transport:
//
//	func TestTransport(t *testing.T) {
//		transporttest.Run(t, func(t testing.TB) *transporttest.Harness {
//			ln := listen(t)
//			return &transporttest.Harness{
//				New:  func(o *transport.LinkOptions) transport.Transport { return lines.New(ln, o) },
//				Dial: func(t testing.TB, to transporttest.Target) (transporttest.Client, error) { return dial(ln, to) },
//			}
//		})
//	}
//
// The suite mounts the transport at an endpoint, connects clients, and ends connections in every
// way. A failure says what went wrong and quotes the law that it breaks; the laws are those of
// package transport. The suite waits for events, and checks durations only in bubbles of
// testing/synctest; see RunInBubble. Run it with the race detector.
//
// These are the names of the checks, for Harness.Except and for go test -run Transport/NAME:
//
//	handshake: bytes, time, shutdown
//	open: early, both ways, info, token, subprotocol, stays
//	refuse: query, origin, connect, panic, busy
//	in: kinds, empty, largest, not UTF-8, owned, order, held
//	out: order, kinds, shared, slow reader, gathered, lone
//	slow: bytes, messages, stalled, others
//	close: codes, queued, twice, anywhere, by client, cut, cut within a message, half, client stays
//	idle: closed, alive
//	panics: receiver, link
//	drain: all, cut, listeners
//	server: timeouts, shutdown, middleware
//	counts: stats
//	leaks: all ends
//	race: everything at once
//
// A name has a slash in between, such as "open/token". "refuse/ErrorHandler" is a part of
// "refuse/connect", for transports that do not ask the mount's ErrorHandler. In go test -run, blanks
// are underscores. A check that the Harness or its Client cannot make is skipped, with the reason.
//
// The suite takes about 11 s, the time that a handshake must not take; -short leaves that out. With
// the environment variable BENNU_FULL=1 the numbers of connections and messages are ten times
// larger. For the suite and package bennu, go mod tidy adds go.uber.org/goleak, golang.org/x/sys,
// github.com/gobwas/ws and httphead as indirect dependencies; goleak is linked into the test alone.
package transporttest
