package hello

import (
	"testing"
	"time"

	"github.com/bennu-go/bennu"
)

func TestCrash(t *testing.T) {
	var users bennu.SocketHandler
	users.Channel("fragile:*", fragiles(5*time.Millisecond))
	c := dial(t, serve(t, &users, nil))
	c.join("fragile:a", `{}`)
	c.join("fragile:b", `{}`)
	joinRef := c.joinRefs["fragile:a"]
	if got := string(c.wait("fragile:a", "beat").payload); got != `{"n":1}` {
		t.Errorf("beat %s", got)
	}

	c.send("fragile:a", "crash", `{}`)
	m := c.wait("fragile:a", "phx_error")
	if m.joinRef == nil || *m.joinRef != joinRef {
		t.Errorf("phx_error with join_ref %v, want %s", m.joinRef, joinRef)
	}

	// The neighbour counts on, without a gap.
	c.unseen = nil
	first := beatOf(t, c, "fragile:b")
	if second := beatOf(t, c, "fragile:b"); second != first+1 {
		t.Errorf("the other channel went from %d to %d", first, second)
	}

	// The new instance starts from nothing.
	c.join("fragile:a", `{}`)
	if n := beatOf(t, c, "fragile:a"); n != 1 {
		t.Errorf("the first beat after the crash is %d", n)
	}
}
