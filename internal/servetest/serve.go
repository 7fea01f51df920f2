// Package servetest serves endpoints on 127.0.0.1 to tests that go over a network.
package servetest

import (
	"context"
	"net"
	"testing"
)

// Serve runs serve, which is Endpoint.Serve, on a free port until the test ends, and returns
// host and port. A server that does not end in good order fails the test.
func Serve(t testing.TB, serve func(context.Context, net.Listener) error) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	return ln.Addr().String()
}
