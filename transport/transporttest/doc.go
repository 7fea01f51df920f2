// Package transporttest is the suite that every transport must pass. Its author writes one test,
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
// The suite mounts the transport at an endpoint, connects clients and breaks off connections in
// every way. A failure says what went wrong, and quotes the law; the laws are those of package
// transport. The suite waits for events, and asserts durations only in bubbles of
// testing/synctest; see RunInBubble. Run it with the race detector.
//
// Environment variable BENNU_FULL=1 makes its numbers ten times larger.
package transporttest
