package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/wstest"
)

var since = regexp.MustCompile(`,"since":"[^"]*"`)

// serve runs the program on a server of its own and returns the WebSocket's address.
func serve(t *testing.T) string {
	t.Helper()
	endpoint, err := newEndpoint(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(endpoint)
	server.Config = endpoint.Server()
	server.Start()
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/socket/websocket?vsn=2.0.0"
}

// client is a client that sees presences in short.
type client struct {
	t *testing.T
	*wstest.Client
}

func dial(t *testing.T, address, user string) *client {
	t.Helper()
	return &client{t, wstest.Dial(t, address+"&user="+url.QueryEscape(user))}
}

func (c *client) join(topic, payload string) {
	c.t.Helper()
	c.Want(topic, "phx_join", payload, "ok", `{}`)
}

// next wants the next message to be this event, as describe has it.
func (c *client) next(want string) {
	c.t.Helper()
	if got := c.event(); got != want {
		c.t.Fatalf("got %s, want %s", got, want)
	}
}

// until waits for an event, and drops those before it.
func (c *client) until(want string) {
	c.t.Helper()
	for c.event() != want {
	}
}

func (c *client) event() string {
	c.t.Helper()
	m := c.Message()
	return c.describe(m.Event, []byte(m.Payload))
}

// describe is an event in short: "presence_diff +ann(phone typing) -ann(phone here)".
func (c *client) describe(event string, payload []byte) string {
	c.t.Helper()
	type list map[string]struct{ Metas []seat }
	var joins, leaves list
	var err error
	switch event {
	case "presence_state":
		err = json.Unmarshal(payload, &joins)
	case "presence_diff":
		err = json.Unmarshal(payload, &struct{ Joins, Leaves *list }{&joins, &leaves})
	default:
		return event + " " + string(payload)
	}
	if err != nil {
		c.t.Fatalf("%s %s: %v", event, payload, err)
	}
	all := []string{event}
	add := func(sign string, l list) {
		for _, user := range slices.Sorted(maps.Keys(l)) {
			for _, s := range l[user].Metas {
				if s.Since.IsZero() {
					c.t.Errorf("%s has no time in %s", user, payload)
				}
				all = append(all, sign+user+"("+s.Device+" "+s.Status+")")
			}
		}
	}
	if event == "presence_diff" {
		add("+", joins)
		add("-", leaves)
	} else {
		add("", joins)
	}
	if len(all) == 1 {
		all = append(all, "{}")
	}
	return strings.Join(all, " ")
}
