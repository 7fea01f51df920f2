package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// TestAcross: what endpoints do for each other in a cluster.
func TestAcross(t *testing.T) {
	forKinds(t, kinds, func(t *testing.T, kind string) {
		c, list := startNodes(t, kind, nil, "a", "b", "c")
		t.Run("Broadcast", func(t *testing.T) { acrossBroadcast(t, list) })
		t.Run("Disconnect", func(t *testing.T) { acrossDisconnect(t, list) })
		t.Run("Subscribe", func(t *testing.T) { acrossSubscribe(t, list) })
		t.Run("LongPoll", func(t *testing.T) { acrossLongPoll(t, list) })
		t.Run("LongPollFromNode", func(t *testing.T) { acrossNode(t, list) })
		t.Run("LongPollOwnerKilled", func(t *testing.T) {
			// Is the last: a node is gone. Another one, which does not wait for it for long, takes
			// its clients.
			d := c.start("d", func(o *nodeOptions) { o.Polls = time.Second })
			c.meet()
			acrossKilled(t, list[0], d)
		})
	})
}

// acrossBroadcast: what a client says in a room is heard on all nodes, once.
func acrossBroadcast(t *testing.T, list []*node) {
	const topic = "room:talk"
	var clients []*wstest.Client
	for _, n := range list {
		clients = append(clients, n.join(t, topic))
		poll := wstest.DialLongPoll(t, n.poll("somebody"))
		poll.Join(topic)
		clients = append(clients, poll)
	}
	for i, speaker := range clients {
		said := fmt.Sprintf(`{"n":%d}`, i)
		if status, response := speaker.Ask(topic, "say", said); status != "ok" {
			t.Fatalf("say: %s %s", status, response)
		}
		for _, c := range clients {
			if m := c.Event(topic, "said"); m.Payload != said {
				t.Errorf("heard %s, want %s", m, said)
			}
		}
	}
	for _, c := range clients {
		c.Fence()
		c.Abort()
	}
}

// acrossDisconnect: a client is closed from another node, over either transport, and
// nobody else is.
func acrossDisconnect(t *testing.T, list []*node) {
	for i, n := range list {
		from := list[(i+1)%len(list)]
		guest := wstest.Dial(t, n.ws("guest"))
		guest.Join("room:lobby")
		poller := wstest.DialLongPoll(t, n.poll("guest"))
		poller.Join("room:lobby")
		stays := wstest.Dial(t, n.ws("host"))
		stays.Join("room:lobby")
		do[struct{}](t, from, "disconnect", disconnecting{"guest"})
		guest.ExpectClose(1001)
		if code, _ := poller.DrainToClose(); code != 0 {
			t.Errorf("a long poll ended with %d", code)
		}
		stays.Fence()
		stays.Abort()
	}
}

// acrossSubscribe: functions of one node's program hear what is said on others.
func acrossSubscribe(t *testing.T, list []*node) {
	const topic = "news"
	do[struct{}](t, list[0], "subscribe", hearing{topic})
	var want []string
	for i := range 10 {
		for _, n := range list {
			event := fmt.Sprintf("%s%d", n.options.Node, i)
			if got := do[cast](t, n, "cast", casting{Topic: topic, Event: event}); got.Err != "" {
				t.Fatalf("Broadcast: %s", got.Err)
			}
			want = append(want, event)
		}
	}
	var got []string
	eventually(t, "all are heard", func() bool {
		got = do[[]string](t, list[0], "events", hearing{topic})
		return len(got) >= len(want)
	})
	for _, n := range list { // each one's in its order
		of := func(events []string) []string {
			return slices.DeleteFunc(slices.Clone(events), func(e string) bool { return !strings.HasPrefix(e, n.options.Node) })
		}
		if !slices.Equal(of(got), of(want)) {
			t.Errorf("heard %q of %s, want %q", of(got), n.name, of(want))
		}
	}
}

// wander makes a long poll whose requests go to all nodes in turn; its session is with
// the first.
func wander(t *testing.T, list []*node) *wstest.Client {
	t.Helper()
	c := wstest.DialLongPoll(t, list[0].poll("wanderer"))
	l := c.Conn().(*wstest.LongPoll)
	l.URLs = nil
	for _, n := range list[1:] {
		l.URLs = append(l.URLs, n.poll("wanderer"))
	}
	l.URLs = append(l.URLs, list[0].poll("wanderer"))
	return c
}

// acrossLongPoll: a session that was made on one node is polled and posted to on all.
func acrossLongPoll(t *testing.T, list []*node) {
	const topic = "room:wander"
	c := wander(t, list)
	defer c.Abort()
	c.Join(topic)
	beside := list[1].join(t, topic)
	defer beside.Abort()
	for i := range waittest.Sized(20, 500) {
		said := fmt.Sprintf(`{"n":%d}`, i)
		c.Want(topic, "say", said, "ok", "{}")
		for _, who := range []*wstest.Client{c, beside} {
			if m := who.Event(topic, "said"); m.Payload != said {
				t.Fatalf("heard %s, want %s", m, said)
			}
		}
	}
	// A batch that is larger than one message of a broker would like to be.
	const messages = 300
	long := strings.Repeat("x", 2000)
	for i := range messages {
		if status, _ := beside.Ask(topic, "say", fmt.Sprintf(`{"n":%d,"pad":%q}`, i, long)); status != "ok" {
			t.Fatal(status)
		}
	}
	for i := range messages {
		if m := c.Event(topic, "said"); numberOf([]byte(m.Payload)).N != i {
			t.Fatalf("message %d is %.100s", i, m)
		}
	}
	c.Fence()
}

// acrossNode: all requests of a session come to nodes that do not have it.
func acrossNode(t *testing.T, list []*node) {
	const topic = "room:foreign"
	c := wander(t, list)
	defer c.Abort()
	l := c.Conn().(*wstest.LongPoll)
	l.URLs = l.URLs[:len(list)-1]
	c.Join(topic)
	for i := range 10 {
		if got := do[cast](t, list[i%len(list)], "cast", casting{Topic: topic, Event: "news"}); got.Err != "" {
			t.Fatal(got.Err)
		}
		c.Event(topic, "news")
	}
	if s := list[0].stats(t).Transports["longpoll"]; s.Open == 0 {
		t.Errorf("the session is not where it was made: %+v", s)
	}
}

// acrossKilled: the node that has a session is killed. Another one answers its next poll
// with 410 and a new token, with which it goes on.
func acrossKilled(t *testing.T, victim, heir *node) {
	owner, other := victim.poll("orphan"), heir.poll("orphan")
	status, token := pollOnce(t, owner, "")
	if status != http.StatusGone || token == "" {
		t.Fatalf("a poll without a token: status %d, token %q", status, token)
	}
	opened := heir.stats(t).Transports["longpoll"].Opened
	victim.kill()
	status, next := pollOnce(t, other, token)
	if status != http.StatusGone || next == "" || next == token {
		t.Fatalf("a poll for a session of a node that is gone: status %d, token %q; want 410 and a new one", status, next)
	}
	c := wstest.DialLongPoll(t, other)
	c.Join("room:orphan")
	c.Want("room:orphan", "say", "{}", "ok", "{}")
	c.Abort()
	if now := heir.stats(t).Transports["longpoll"].Opened; now != opened+2 {
		t.Errorf("the other node made %d sessions, want 2", now-opened)
	}
}

// pollOnce polls as a client with a token would, or one without.
func pollOnce(t *testing.T, url, token string) (status int, next string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("X-Phoenix-Longpoll-Token", token)
	}
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var body struct {
		Status int
		Token  string
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		t.Fatalf("HTTP %s: %v", answer.Status, err)
	}
	return body.Status, body.Token
}
