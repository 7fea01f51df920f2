package conformance_test

import (
	"log/slog"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/conformance"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/pubsub"
)

// Every case runs against a server of its own, since the cases share their topics, and
// that with each way of reading that it has. Nothing changes if all topics have a history.
func TestFixture(t *testing.T) {
	t.Run("epoll", func(t *testing.T) { testFixture(t, fresh(bennu.EndpointOptions{})) })
	t.Run("parked", func(t *testing.T) { testFixture(t, fresh(bennu.EndpointOptions{NoEpoll: true})) })
	t.Run("epoll-history", func(t *testing.T) { testFixture(t, keeping(bennu.EndpointOptions{})) })
	t.Run("parked-history", func(t *testing.T) { testFixture(t, keeping(bennu.EndpointOptions{NoEpoll: true})) })
}

// fresh returns the same options for each server.
func fresh(o bennu.EndpointOptions) func(testing.TB) bennu.EndpointOptions {
	return func(testing.TB) bennu.EndpointOptions { return o }
}

// keeping adds a history of all topics.
func keeping(o bennu.EndpointOptions) func(testing.TB) bennu.EndpointOptions {
	return func(t testing.TB) bennu.EndpointOptions {
		o := o
		o.PubSub = pubsub.NewLocal()
		var err error
		o.History, err = history.New(t.Context(), o.PubSub, &history.Options{Topics: app.Topics(true), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
}

func testFixture(t *testing.T, options func(testing.TB) bennu.EndpointOptions) {
	cases, err := conformance.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			if err := conformance.Run(t.Context(), serveFixture(t, options(t)), c); err != nil {
				t.Errorf("%s: %v", c.Given, err)
			}
		})
	}
}

// serveFixture serves the fixture application until the test ends.
func serveFixture(t *testing.T, options bennu.EndpointOptions) (target string) {
	options.Logger = slog.New(slog.DiscardHandler)
	e := app.NewWith(options)
	if options.History != nil {
		e.OnShutdown(options.History.Close)
	}
	return servetest.Serve(t, e.Serve)
}
