package hello

import (
	"log/slog"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newServer(t *testing.T) string {
	t.Helper()
	ps := pubsub.NewLocal()
	here, err := presence.New[Here](t.Context(), ps, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	var users bennu.SocketHandler
	Routes(&users, here)
	return serve(t, &users, ps)
}

func TestUnknownTopic(t *testing.T) {
	c := dial(t, newServer(t))
	c.want("nowhere:1", "phx_join", `{}`, "error", `{"reason":"unmatched topic"}`)
	c.want("inventory:gold", "phx_join", `{}`, "error", `{"reason":"no such item"}`)
	c.want("room:x", "phx_join", `{"name":" "}`, "error", `{"reason":"name must not be blank"}`)
	c.join("ping:lobby", `{}`)
}
