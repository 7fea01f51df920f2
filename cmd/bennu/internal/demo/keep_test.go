package demo

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// A page that was cut gets what was said meanwhile.
func TestRoomIsKept(t *testing.T) {
	d := newDemo(t)
	resumes(t, d, d)
	if strings.Contains(d.intro, "Nothing is kept") {
		t.Errorf("printed %q", d.intro)
	}
}

// resumes cuts a client of one node, lets it miss something, and finds that on another.
func resumes(t *testing.T, from, to *running) {
	t.Helper()
	join := func(d *running, since string) (*wstest.Client, wstest.Message) {
		t.Helper()
		c := wstest.Dial(t, d.socket())
		c.Want("room:kept", "phx_join", `{"name":"Ani","since":`+since+`}`, "ok", "{}")
		return c, c.Event("room:kept", "bennu:resume")
	}
	page, resume := join(from, "null")
	if resume.Payload != `{"status":"new"}` {
		t.Errorf("a new page is told %s", resume.Payload)
	}
	at := page.Event("room:kept", "arrived").Ref
	page.Abort()

	other := wstest.Dial(t, to.socket())
	other.Want("room:kept", "phx_join", `{"name":"Tui"}`, "ok", "{}")
	other.Want("room:kept", "shout", `{"body":"are you there?"}`, "ok", "{}")
	page, resume = join(to, at)
	if resume.Payload != `{"status":"recovered"}` {
		t.Errorf("a page that is back is told %s", resume.Payload)
	}
	if said := page.Event("room:kept", "shout").Payload; !strings.Contains(said, `"body":"are you there?"`) {
		t.Errorf("it gets %s", said)
	}
	page.Event("room:kept", "bennu:resume")
}

// A page that was cut may come back to another node.
func TestRoomIsKeptInRedis(t *testing.T) {
	where := "redis://" + redistest.Start(t).Addr
	first := newDemo(t, "--pubsub", where, "--node", "ibis")
	second := newDemo(t, "--pubsub", where, "--node", "egret")
	resumes(t, first, second)
}

// Nodes that meet through NATS share no store.
func TestNothingIsKept(t *testing.T) {
	d := newDemo(t, "--pubsub", "nats+embed://:0", "--node", "ibis")
	if !strings.Contains(d.intro, "Nothing is kept of the chat room") {
		t.Errorf("printed %q", d.intro)
	}
}
