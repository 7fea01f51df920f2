package bennu_test

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport/websocket"
)

// TestFenceAfterTooLarge has a channel that intercepts events and tells its client that a message was too
// large. A join with the position before that must be fenced, since the telling may be under way.
func TestFenceAfterTooLarge(t *testing.T) {
	mount := &bennu.SocketOptions{Transports: over(&websocket.Options{MaxQueueBytes: 64 << 10, MaxMessage: 1 << 10}, nil)}
	s := serveKept(t, one("*", filtered(t)), mount, history.Topic{Pattern: "a"})
	c := wstest.Dial(t, s.url)
	joinSince(c, "a", since(""))
	first := s.say(t, "a", "other", number(1))
	c.Expect(kept(first, "a", "other", `{"n":1}`))
	large := s.say(t, "a", "other", bennu.Raw(`{"text":"`+strings.Repeat("x", 60<<10)+`"}`))
	c.Expect(lostMessage("null", large, "a", "too_large"))
	leave := c.Push("a", "phx_leave", `{}`)
	c.Await("the reply to the leave", func(m wstest.Message) bool { return m.Ref == leave && m.Event == "phx_reply" })
	again := c.Push("a", "phx_join", since(first))
	c.Await("phx_error, because of the fence", func(m wstest.Message) bool {
		if m.Event == "phx_reply" && m.Ref == again {
			t.Fatal("the join is not fenced")
		}
		return m.Event == "phx_error" && m.JoinRef == again
	})
}
