package conformance_test

import (
	"log/slog"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/conformance"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/servetest"
)

// Every case runs against a server of its own, since the cases share their topics, and
// that with each way of reading that it has.
func TestFixture(t *testing.T) {
	t.Run("epoll", func(t *testing.T) { testFixture(t, bennu.EndpointOptions{}) })
	t.Run("parked", func(t *testing.T) { testFixture(t, bennu.EndpointOptions{NoEpoll: true}) })
}

func testFixture(t *testing.T, options bennu.EndpointOptions) {
	cases, err := conformance.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			if err := conformance.Run(t.Context(), serveFixture(t, options), c); err != nil {
				t.Errorf("%s: %v", c.Given, err)
			}
		})
	}
}

// serveFixture serves the fixture application until the test ends.
func serveFixture(t *testing.T, options bennu.EndpointOptions) (target string) {
	options.Logger = slog.New(slog.DiscardHandler)
	return servetest.Serve(t, app.NewWith(options).Serve)
}
