package bennu_test

import (
	"slices"
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
)

// stock reads messages as phoenix.js does: it drops those with a join_ref that is not that of its last
// join.
func stock(c *wstest.Client, w *hearer, joinRef string, until func(m wstest.Message) bool) {
	for {
		m := c.Message()
		if m.JoinRef == "null" || m.JoinRef == joinRef {
			w.hear(m)
		}
		if until(m) {
			return
		}
	}
}

// TestFenceAfterForward has a message under way that a handler has forwarded, and one behind it that is
// not intercepted. A client that has joined anew must take both or neither.
func TestFenceAfterForward(t *testing.T) {
	s := serveKept(t, one("*", filtered(t)), nil, history.Topic{Pattern: "*", Size: 100})
	c := wstest.Dial(t, s.url)
	w := &hearer{statuses: map[string]int{}}
	_, resume := joinSince(c, "a", since(""))
	w.hear(resume)
	s.say(t, "a", "said", number(2)) // forwarded
	s.say(t, "a", "other", number(3))
	eventually(t, "both are sent", func() bool { return s.Stats().History.Behind == 0 })
	// The client has read neither.
	c.Push("a", "phx_leave", "{}")
	second := c.Push("a", "phx_join", `{"since":`+w.since+`}`)
	stock(c, w, second, func(m wstest.Message) bool { return m.JoinRef == second && m.Event != "phx_reply" })
	third := c.Push("a", "phx_join", `{"since":`+w.since+`}`)
	stock(c, w, third, func(m wstest.Message) bool { return m.JoinRef == third && m.Event == "bennu:resume" })
	s.say(t, "a", "said", number(4))
	stock(c, w, third, func(m wstest.Message) bool { return m.Event == "said" && len(w.got) > 0 && w.got[len(w.got)-1] == 4 })
	if !slices.Equal(w.got, []int{2, 4}) {
		t.Errorf("got %v, want 2 and 4", w.got)
	}
}

// TestFenceLossesInARow has a client that joins twice more before it reads the answers. It drops the first
// loss, takes a message behind it, and must hear of the second one.
func TestFenceLossesInARow(t *testing.T) {
	s := serveKept(t, one("a", rooms()), nil, history.Topic{Pattern: "a", Size: 3})
	w := &hearer{statuses: map[string]int{}}
	w.since = `"` + s.say(t, "a", "said", number(1)) + `"`
	for n := range 5 {
		s.say(t, "a", "said", number(2+n))
	}
	c := wstest.Dial(t, s.url)
	c.Push("a", "phx_join", `{"since":`+w.since+`}`)
	eventually(t, "the first loss", func() bool { return s.Stats().History.Lost["expired"] == 1 })
	o := s.say(t, "a", "said", number(7))
	c.Push("a", "phx_leave", "{}")
	second := c.Push("a", "phx_join", `{"since":`+w.since+`}`)
	eventually(t, "the second loss", func() bool { return s.Stats().History.Lost["expired"] == 2 })
	stock(c, w, second, func(m wstest.Message) bool { return m.Ref == `"`+o+`"` && m.Event == "said" })
	c.Push("a", "phx_leave", "{}")
	third := c.Push("a", "phx_join", `{"since":`+w.since+`}`)
	stock(c, w, third, func(m wstest.Message) bool { return m.JoinRef == third && m.Event != "phx_reply" })
	if w.statuses["lost"] == 0 {
		t.Errorf("got %v, and was never told lost: %v", w.got, w.statuses)
	}
}
