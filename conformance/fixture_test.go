package conformance_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/conformance"
	"github.com/bennu-go/bennu/conformance/fixture/app"
)

// notYet lists the cases for what bennu does not have yet, by the beginning of
// their ids. They run all the same, and one that passes has to leave this list.
var notYet = []struct{ prefix, reason string }{
	{"PR-", "there is no presence: its topics join like any other"},
}

func missing(id string) (reason string) {
	for _, n := range notYet {
		if strings.HasPrefix(id, n.prefix) {
			return n.reason
		}
	}
	return ""
}

// Every case runs against a server of its own, since the cases share their topics.
func TestFixture(t *testing.T) {
	cases, err := conformance.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			ctx, reason := t.Context(), missing(c.ID)
			if reason != "" {
				// What does not come is not worth the runner's whole patience.
				short, cancel := context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
				ctx = short
			}
			err := conformance.Run(ctx, serveFixture(t), c)
			switch {
			case reason == "" && err != nil:
				t.Errorf("%s: %v", c.Given, err)
			case reason != "" && err == nil:
				t.Errorf("passes, and is listed as not yet, since %s", reason)
			case reason != "":
				t.Skipf("not yet: %s", reason)
			}
		})
	}
}

// serveFixture serves the fixture application until the test ends.
func serveFixture(t *testing.T) (target string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := app.New(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- endpoint.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
			t.Errorf("the server ended with: %v", err)
		}
	})
	return ln.Addr().String()
}
