package bennu_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
)

// remount is a client that leaves and joins again on one connection, again and again, while broadcasts
// are under way. It takes broadcasts in whatever state it is, as stock clients do, since they have no
// join_ref.
type remount struct {
	hearer
	c       *wstest.Client
	joinRef string
	joined  bool // the answer to the last join has come
	errors  int
}

// join joins with what the client has read so far.
func (r *remount) join() {
	payload := `{"since":null}`
	if r.since != "" {
		payload = `{"since":` + r.since + `}`
	}
	r.joinRef, r.joined = r.c.Push("a", "phx_join", payload), false
}

// read handles the next message, and drops those of earlier joins. After phx_error the client joins
// again.
func (r *remount) read() {
	m := r.c.Message()
	if m.JoinRef != "null" && m.JoinRef != r.joinRef {
		return
	}
	r.hear(m)
	switch m.Event {
	case "bennu:resume":
		r.joined = true
	case "phx_error":
		r.errors++
		r.join()
	}
}

// run remounts with messages under way, and reads until it has all or more.
func (r *remount) run(t *testing.T, s *keeping, rounds int) (published int) {
	r.statuses = map[string]int{}
	r.c = wstest.Dial(t, s.url)
	r.join()
	for range rounds {
		for !r.joined {
			r.read()
		}
		for range 20 {
			published++
			s.say(t, "a", "said", number(published))
		}
		for range 5 {
			r.read()
		}
		r.c.Push("a", "phx_leave", "{}")
		r.join()
		for range 10 {
			published++
			s.say(t, "a", "said", number(published))
		}
	}
	for last := 0; last != published; {
		r.read()
		if n := len(r.got); n > 0 {
			last = r.got[n-1]
		}
	}
	return published
}

func TestFence(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "*", Size: 10_000})
	var r remount
	published := r.run(t, s, 60)
	r.check(t, published)
	if r.errors == 0 || s.Stats().History.Fenced == 0 {
		t.Errorf("%d joins were asked to come again; counted %+v", r.errors, s.Stats().History)
	}
}

// TestWithoutFence shows that the same client gets messages twice without the fence.
func TestWithoutFence(t *testing.T) {
	bennu.SetFencing(false)
	t.Cleanup(func() { bennu.SetFencing(true) }) // after the cleanup of serveKept
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "*", Size: 10_000})
	var r remount
	published := r.run(t, s, 60)
	if len(r.got) <= published {
		t.Errorf("%d messages of %d: none twice", len(r.got), published)
	}
}

// TestFenceOnce has a client that takes no messages while it joins: it is fenced once.
func TestFenceOnce(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "*", Size: 10_000})
	c := wstest.Dial(t, s.url)
	first, resume := joinSince(c, "a", since(""))
	o := s.say(t, "a", "said", nil)
	leave := c.Push("a", "phx_leave", "{}")
	second := c.Push("a", "phx_join", `{"since":`+resume.Ref+`}`)
	c.Expect(
		kept(o, "a", "said", `{}`),
		wstest.OK(first, leave, "a"),
		wstest.Closed(first, "a"),
		wstest.V2(second, second, "a", "phx_error", `{"reason":"resume"}`),
	)
	third := c.Push("a", "phx_join", `{"since":`+resume.Ref+`}`)
	c.Expect(
		wstest.OK(third, third, "a"),
		wstest.V2(third, resume.Ref, "a", "bennu:resume", `{"status":"recovered"}`),
		kept(o, "a", "said", `{}`),
		wstest.V2(third, `"`+o+`"`, "a", "bennu:resume", `{"status":"live","count":1}`),
	)
	// A join in the place of another, with all that was sent, and with an older offset.
	fourth := c.Push("a", "phx_join", since(o))
	c.Expect(wstest.OK(fourth, fourth, "a"), wstest.Closed(third, "a"), wstest.V2(fourth, `"`+o+`"`, "a", "bennu:resume", `{"status":"recovered"}`))
	fifth := c.Push("a", "phx_join", `{"since":`+resume.Ref+`}`)
	c.Expect(wstest.V2(fifth, fifth, "a", "phx_error", `{"reason":"resume"}`), wstest.Closed(fourth, "a"))
	// Another connection knows nothing of it.
	c = wstest.Dial(t, s.url)
	joinRef, resumed := joinSince(c, "a", `{"since":`+resume.Ref+`}`)
	if resumed.Payload != `{"status":"recovered"}` {
		t.Errorf("%s: %v", joinRef, resumed)
	}
}

// TestFenceAgain is what clients get that leave and join before they have read that they must read on,
// or that have read on since then.
func TestFenceAgain(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "*", Size: 10_000})
	c := wstest.Dial(t, s.url)
	first, resume := joinSince(c, "a", since(""))
	offsets := []string{s.say(t, "a", "said", number(1)), s.say(t, "a", "said", number(2))}
	leave := c.Push("a", "phx_leave", "{}")
	c.Expect(
		kept(offsets[0], "a", "said", `{"n":1}`),
		kept(offsets[1], "a", "said", `{"n":2}`),
		wstest.OK(first, leave, "a"),
		wstest.Closed(first, "a"),
	)
	fenced := func(payload string) (joinRef string) {
		t.Helper()
		joinRef = c.Push("a", "phx_join", payload)
		c.Expect(wstest.V2(joinRef, joinRef, "a", "phx_error", `{"reason":"resume"}`))
		return joinRef
	}
	joinRef := fenced(`{"since":` + resume.Ref + `}`)
	again := c.Push("a", "phx_leave", "{}")
	c.Expect(wstest.OK(joinRef, again, "a"))
	fenced(`{"since":` + resume.Ref + `}`)
	fenced(since(offsets[0])) // it takes what is under way
	if _, told := joinSince(c, "a", since(offsets[1])); told.Payload != `{"status":"recovered"}` {
		t.Errorf("told %v", told)
	}
}

// TestSameJoinTwice is what a client gets whose browser has repeated the post of its join. The phx_close
// of the first join would close its channel for good, since both have the same ref.
func TestSameJoinTwice(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "*", Size: 10_000})
	c := wstest.Dial(t, s.url)
	_, resume := joinSince(c, "a", since(""))
	o := s.say(t, "a", "said", number(1))
	c.Expect(kept(o, "a", "said", `{"n":1}`))
	join := func(offset string) {
		c.Send(wstest.Text(wstest.V2(`"7"`, `"7"`, "a", "phx_join", `{"since":`+offset+`}`)))
	}
	join(`"` + o + `"`)
	c.Expect(wstest.OK(`"7"`, `"7"`, "a"), wstest.Closed(`"1"`, "a"), wstest.V2(`"7"`, `"`+o+`"`, "a", "bennu:resume", `{"status":"recovered"}`))
	join(`"` + o + `"`)
	c.Expect(wstest.OK(`"7"`, `"7"`, "a"), wstest.V2(`"7"`, `"`+o+`"`, "a", "bennu:resume", `{"status":"recovered"}`))
	for range 2 {
		join(resume.Ref)
		c.Expect(wstest.V2(`"7"`, `"7"`, "a", "phx_error", `{"reason":"resume"}`))
	}
}

// TestFencePiledUp has joins of a topic that wait together behind another join. The client cannot have
// read the answer to the first when it sent the second.
func TestFencePiledUp(t *testing.T) {
	g := newGates()
	users := one("slow", slowRooms(g))
	users.Channel("a", rooms())
	s := serveKept(t, users, nil, history.Topic{Pattern: "a"})
	c := wstest.Dial(t, s.url)
	first, resume := joinSince(c, "a", since(""))
	o := s.say(t, "a", "said", nil)
	c.Expect(kept(o, "a", "said", `{}`))
	slow := c.Push("slow", "phx_join", `{}`)
	<-g.entered
	piled := make([]string, 3)
	for i := range piled {
		piled[i] = c.Push("a", "phx_join", `{"since":`+resume.Ref+`}`)
	}
	c.Send(wstest.Ping("all are there"))
	c.ExpectFrame(wstest.Frame{Op: wstest.OpPong, Payload: []byte("all are there")})
	g.open <- struct{}{}
	c.Expect(wstest.OK(slow, slow, "slow"))
	for i, joinRef := range piled {
		c.Expect(wstest.V2(joinRef, joinRef, "a", "phx_error", `{"reason":"resume"}`))
		if i == 0 {
			c.Expect(wstest.Closed(first, "a"))
		}
	}
	if _, told := joinSince(c, "a", `{"since":`+resume.Ref+`}`); told.Payload != `{"status":"recovered"}` {
		t.Errorf("told %v", told)
	}
}

// TestFenceAfterNew has a client that joins as a new one between two joins with a position. That join is
// refused, so messages of the first one may still be under way.
func TestFenceAfterNew(t *testing.T) {
	picky := bennu.Define(func(_ context.Context, ch *bennu.Channel, p struct{ Refuse bool }) (*room, bennu.Empty, error) {
		if p.Refuse {
			return nil, bennu.Empty{}, errors.New("refused")
		}
		return &room{ch}, bennu.Empty{}, nil
	})
	s := serveKept(t, one("a", picky), nil, history.Topic{Pattern: "a"})
	c := wstest.Dial(t, s.url)
	first, resume := joinSince(c, "a", since(""))
	o := s.say(t, "a", "said", nil)
	leave := c.Push("a", "phx_leave", "{}")
	c.Expect(kept(o, "a", "said", `{}`), wstest.OK(first, leave, "a"), wstest.Closed(first, "a"))
	if status, _ := c.Ask("a", "phx_join", `{"since":null,"refuse":true}`); status != "error" {
		t.Errorf("the join is answered with %s", status)
	}
	again := c.Push("a", "phx_join", `{"since":`+resume.Ref+`}`)
	c.Expect(wstest.V2(again, again, "a", "phx_error", `{"reason":"resume"}`))
}

// TestFenceAfterLoss has a client that has left and joins again before it has read that it has lost
// messages. It drops that bennu:resume, which is for the join that it has left, but not the
// messages behind it. So it must be told again, and not be fenced: then it would go on after them.
func TestFenceAfterLoss(t *testing.T) {
	s := serveKept(t, one("a", rooms()), nil, history.Topic{Pattern: "a", Size: 3})
	old := s.say(t, "a", "said", number(1))
	for n := range 5 {
		s.say(t, "a", "said", number(2+n))
	}
	c := wstest.Dial(t, s.url)
	first, told := joinSince(c, "a", since(old))
	o := s.say(t, "a", "said", number(7))
	leave := c.Push("a", "phx_leave", "{}")
	c.Expect(kept(o, "a", "said", `{"n":7}`), wstest.OK(first, leave, "a"), wstest.Closed(first, "a"))
	second, again := joinSince(c, "a", since(old))
	if told.Payload != again.Payload || !strings.Contains(again.Payload, "lost") {
		t.Errorf("told %v, and then %v", told, again)
	}
	last := s.say(t, "a", "said", number(8))
	leave = c.Push("a", "phx_leave", "{}")
	c.Expect(kept(last, "a", "said", `{"n":8}`), wstest.OK(second, leave, "a"), wstest.Closed(second, "a"))
	third := c.Push("a", "phx_join", `{"since":`+again.Ref+`}`) // it has read that
	c.Expect(wstest.V2(third, third, "a", "phx_error", `{"reason":"resume"}`))
}
