package hello

import (
	"log/slog"
	"testing"

	"github.com/bennu-go/bennu"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newServer(t *testing.T) string {
	t.Helper()
	var users bennu.SocketHandler
	Routes(&users)
	return serve(t, &users)
}

func TestUnknownTopic(t *testing.T) {
	c := dial(t, newServer(t))
	c.want("nowhere:1", "phx_join", `{}`, "error", `{"reason":"unmatched topic"}`)
	c.want("inventory:gold", "phx_join", `{}`, "error", `{"reason":"no such item"}`)
	c.want("room:x", "phx_join", `{"name":" "}`, "error", `{"reason":"name must not be blank"}`)
	c.join("ping:lobby", `{}`)
}
