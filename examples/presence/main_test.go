package main

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

func start(t *testing.T) *channeltest.Endpoint {
	t.Helper()
	endpoint, err := newEndpoint(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return channeltest.Start(t, endpoint)
}

// as is the client of a user.
func as(user string) *channeltest.Options {
	return &channeltest.Options{Name: user, Params: url.Values{"user": {user}}}
}

func TestConnect(t *testing.T) {
	endpoint := start(t)
	for _, user := range []string{"", strings.Repeat("x", 65)} {
		if refused := endpoint.ExpectRefused(t, as(user)); refused.Status != 403 || !errors.Is(refused.Err, bennu.ErrRefused) {
			t.Errorf("as %q: %v", user, refused)
		}
	}
	endpoint.Connect(t, as(strings.Repeat("x", 64)))
}
