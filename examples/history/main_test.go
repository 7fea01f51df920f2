package main

import (
	"log/slog"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

// start starts the whole program in a test, without a network.
func start(t *testing.T) *channeltest.Endpoint {
	t.Helper()
	endpoint, err := newEndpoint(t.Context(), slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	return channeltest.Start(t, endpoint)
}

// fresh are the params of a client that gets offsets and has none yet.
var fresh = bennu.Raw(`{"since":null}`)

// params are those of a client that has an offset.
func params(since string) map[string]string { return map[string]string{"since": since} }
