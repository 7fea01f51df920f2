package hello

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/pubsub"
)

// patience bounds waiting for what must come. It is no measure of speed.
const patience = 20 * time.Second

// serve mounts users on a server of its own and returns the WebSocket's address.
func serve(t *testing.T, users *bennu.SocketHandler, ps *pubsub.PubSub) string {
	t.Helper()
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, DrainTime: bennu.Unlimited, Logger: quiet()})
	endpoint.Socket("/socket", users, nil)
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

// message is one frame from the server.
type message struct {
	joinRef, ref   *string
	topic, event   string
	payload        json.RawMessage
	status, answer string // of a phx_reply: its status and its response as JSON
}

// client is as much of a Phoenix client as the tests need.
type client struct {
	t        *testing.T
	conn     net.Conn
	from     io.Reader
	refs     int
	joinRefs map[string]string // by topic
	unseen   []message
}

func dial(t *testing.T, url string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, buffered, _, err := ws.Dial(ctx, url)
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

// send does not wait for the reply; ref is what the reply will carry.
func (c *client) send(topic, event, payload string) (ref string) {
	c.t.Helper()
	c.refs++
	ref = strconv.Itoa(c.refs)
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
	return ref
}

// ask sends an event and returns the status and the response of its reply.
func (c *client) ask(topic, event, payload string) (status, response string) {
	c.t.Helper()
	ref := c.send(topic, event, payload)
	m := c.find(func(m message) bool { return m.event == "phx_reply" && m.ref != nil && *m.ref == ref })
	return m.status, m.answer
}

// want asks, and compares status and response.
func (c *client) want(topic, event, payload, status, response string) {
	c.t.Helper()
	s, r := c.ask(topic, event, payload)
	if s != status || r != response {
		c.t.Errorf("%s %s on %s: got %s %s, want %s %s", event, payload, topic, s, r, status, response)
	}
}

func (c *client) join(topic, payload string) {
	c.t.Helper()
	if status, response := c.ask(topic, "phx_join", payload); status != "ok" {
		c.t.Fatalf("join %s: %s %s", topic, status, response)
	}
}

// wait takes the next event on a topic that was not taken yet.
func (c *client) wait(topic, event string) message {
	c.t.Helper()
	return c.find(func(m message) bool { return m.topic == topic && m.event == event })
}

// find takes the first message that fits, and keeps those before it for later.
func (c *client) find(fits func(message) bool) message {
	c.t.Helper()
	for i, m := range c.unseen {
		if fits(m) {
			c.unseen = append(c.unseen[:i], c.unseen[i+1:]...)
			return m
		}
	}
	for {
		m := c.read()
		if fits(m) {
			return m
		}
		c.unseen = append(c.unseen, m)
	}
}

func (c *client) read() message {
	c.t.Helper()
	text, err := wsutil.ReadServerText(struct {
		io.Reader
		io.Writer
	}{c.from, c.conn})
	if err != nil {
		c.t.Fatalf("read: %v; unseen so far: %+v", err, c.unseen)
	}
	var m message
	if err := json.Unmarshal(text, &[]any{&m.joinRef, &m.ref, &m.topic, &m.event, &m.payload}); err != nil {
		c.t.Fatalf("frame %s: %v", text, err)
	}
	if m.event == "phx_reply" {
		var reply struct {
			Status   string
			Response json.RawMessage
		}
		if err := json.Unmarshal(m.payload, &reply); err != nil {
			c.t.Fatalf("reply %s: %v", text, err)
		}
		m.status, m.answer = reply.Status, string(reply.Response)
	}
	return m
}

// beatOf waits for the next beat on a topic and returns its number.
func beatOf(t *testing.T, c *client, topic string) int {
	t.Helper()
	var b beats
	if err := json.Unmarshal(c.wait(topic, "beat").payload, &b); err != nil {
		t.Fatal(err)
	}
	return b.N
}
