package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// patience bounds waiting for what must come. It is no measure of speed.
const patience = 20 * time.Second

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
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/socket/websocket?vsn=2.0.0"
}

// client is as much of a Phoenix client as the tests need.
type client struct {
	t        *testing.T
	conn     net.Conn
	from     io.Reader
	refs     int
	joinRefs map[string]string // by topic
	events   []string          // that came before a reply
}

func dial(t *testing.T, address, user string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, buffered, _, err := ws.Dial(ctx, address+"&user="+url.QueryEscape(user))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn, from: conn, joinRefs: map[string]string{}}
	if buffered != nil {
		c.from = buffered
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends an event and returns the status and the response of its reply.
func (c *client) ask(topic, event, payload string) (status, response string) {
	c.t.Helper()
	c.refs++
	ref := strconv.Itoa(c.refs)
	if event == "phx_join" {
		c.joinRefs[topic] = ref
	}
	text, err := json.Marshal([]any{c.joinRefs[topic], ref, topic, event, json.RawMessage(payload)})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := wsutil.WriteClientText(c.conn, text); err != nil {
		c.t.Fatalf("send %s on %s: %v", event, topic, err)
	}
	for {
		event, got, payload := c.read()
		if event != "phx_reply" {
			c.events = append(c.events, c.describe(event, payload))
			continue
		}
		var reply struct {
			Status   string
			Response json.RawMessage
		}
		if err := json.Unmarshal(payload, &reply); err != nil || got != ref {
			c.t.Fatalf("reply %s to %s, want one to %s: %v", payload, got, ref, err)
		}
		return reply.Status, string(reply.Response)
	}
}

// want asks, and compares status and response.
func (c *client) want(topic, event, payload, status, response string) {
	c.t.Helper()
	if s, r := c.ask(topic, event, payload); s != status || r != response {
		c.t.Errorf("%s %s on %s: got %s %s, want %s %s", event, payload, topic, s, r, status, response)
	}
}

func (c *client) join(topic, payload string) {
	c.t.Helper()
	c.want(topic, "phx_join", payload, "ok", `{}`)
}

// next wants the next event to be this one, as describe has it.
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
	if len(c.events) > 0 {
		first := c.events[0]
		c.events = c.events[1:]
		return first
	}
	event, _, payload := c.read()
	return c.describe(event, payload)
}

func (c *client) read() (event, ref string, payload json.RawMessage) {
	c.t.Helper()
	text, err := wsutil.ReadServerText(struct {
		io.Reader
		io.Writer
	}{c.from, c.conn})
	if err != nil {
		c.t.Fatalf("read: %v; unseen so far: %q", err, c.events)
	}
	if err := json.Unmarshal(text, &[]any{nil, &ref, nil, &event, &payload}); err != nil {
		c.t.Fatalf("frame %s: %v", text, err)
	}
	return event, ref, payload
}

// describe is an event in short: "presence_diff +ann(phone typing) -ann(phone here)".
func (c *client) describe(event string, payload json.RawMessage) string {
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
