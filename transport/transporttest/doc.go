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
// With the environment variable BENNU_FULL=1 the numbers of connections and messages are ten times
// larger.
package transporttest
