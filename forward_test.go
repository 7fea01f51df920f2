package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
)

// filtered is a channel that forwards the messages of which n is even, and pushes beside those of
// which it is a multiple of ten.
func filtered(t testing.TB) *bennu.Definition[*room] {
	d := bennu.Define(joinRoom)
	bennu.Intercept(d, "said", func(r *room, ctx context.Context, in struct{ N int }) error {
		if in.N%10 == 0 {
			if err := r.Push("beside", nil); err != nil && !errors.Is(err, bennu.ErrClosed) {
				t.Error(err)
			}
		}
		if in.N < 0 {
			panic("crash")
		}
		if in.N%2 != 0 {
			return nil
		}
		err := bennu.Forward(ctx, map[string]any{"n": in.N, "changed": true})
		if err != nil && !errors.Is(err, bennu.ErrClosed) {
			t.Error(err)
		}
		if err == nil && bennu.Forward(ctx, nil) == nil {
			t.Error("a second Forward succeeds")
		}
		return nil
	})
	bennu.Intercept(d, "bytes", func(r *room, ctx context.Context, in bennu.Payload) error { return bennu.Forward(ctx, []byte("x")) })
	bennu.On(d, "echo", func(_ *room, ctx context.Context, p bennu.Payload) (bennu.Payload, error) {
		if bennu.Forward(ctx, nil) == nil {
			t.Error("Forward succeeds in a handler of On")
		}
		return p, nil
	})
	return d
}

func TestForward(t *testing.T) {
	if bennu.Forward(context.Background(), nil) == nil {
		t.Error("Forward without a handler succeeds")
	}
	s := serveKept(t, one("*", filtered(t)), nil, history.Topic{Pattern: "a"})
	for name, tc := range map[string]struct{ topic, payload string }{
		"no history": {"b", `{}`}, "not asked": {"a", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			c := wstest.Dial(t, s.url)
			joinRef := c.Join(tc.topic)
			s.say(t, tc.topic, "said", number(1))
			s.say(t, tc.topic, "said", number(2))
			s.say(t, tc.topic, "other", number(3))
			c.ExpectAll(wstest.V2(joinRef, "null", tc.topic, "said", `{"changed":true,"n":2}`), wstest.Broadcast(tc.topic, "other", `{"n":3}`))
			c.Want(tc.topic, "echo", `{}`, "ok", `{}`)
		})
	}
	t.Run("offsets", func(t *testing.T) {
		c := wstest.Dial(t, s.url)
		joinRef, _ := joinSince(c, "a", since(""))
		one := s.say(t, "a", "said", number(1))
		ten := s.say(t, "a", "said", number(10))
		other := s.say(t, "a", "other", number(3))
		bytes := s.say(t, "a", "bytes", nil)
		_ = one
		c.Expect(
			wstest.V2(joinRef, "null", "a", "beside", `{}`),
			kept(ten, "a", "said", `{"changed":true,"n":10}`),
			kept(other, "a", "other", `{"n":3}`),
			wstest.Broadcast("a", "bennu:offset", `{"next":"`+bytes+`"}`),
		)
		if f := c.Next(); f.Op != wstest.OpBinary || !strings.HasSuffix(string(f.Payload), "abytesx") {
			t.Fatalf("got %v", f)
		}
		// After 64 that pass in silence the client is told.
		var last string
		for range 64 {
			last = s.say(t, "a", "said", number(1))
		}
		m := c.Message()
		if m.Event != "bennu:offset" || m.Payload != `{}` || !position.MatchString(m.Ref) {
			t.Fatalf("got %v", m)
		}
		if m.Ref != `"`+last+`"` {
			s.say(t, "a", "said", number(1))
		}
		// One alone is told after a second.
		last = s.say(t, "a", "said", number(1))
		c.Await("the offset of a message that passed in silence", func(m wstest.Message) bool { return m.Event == "bennu:offset" && m.Ref == `"`+last+`"` })
	})
}

// TestForwardReplays replays a history through a handler, more than the mailbox and the queue of the
// client hold.
func TestForwardReplays(t *testing.T) {
	users := one("*", filtered(t))
	users.Limits.MailboxMessages = 8
	s := serveKept(t, users, nil, history.Topic{Pattern: "*", Size: 10_000})
	start := s.say(t, "a", "begin", nil)
	const messages = 5001
	for n := 1; n < messages; n++ {
		s.say(t, "a", "said", number(n))
	}
	c := wstest.Dial(t, s.url)
	c.Push("a", "phx_join", since(start))
	got, beside := 0, 0
	var lastRef string
	for live := false; !live; {
		m := c.Message()
		switch m.Event {
		case "said":
			got++
			if m.Payload != fmt.Sprintf(`{"changed":true,"n":%d}`, 2*got) {
				t.Fatalf("message %d is %v", got, m)
			}
			lastRef = m.Ref
		case "beside":
			beside++
		case "bennu:resume":
			live = strings.Contains(m.Payload, `"live"`)
		}
	}
	if got != messages/2 || beside < messages/10 {
		t.Errorf("%d messages, %d pushes", got, beside)
	}
	// Live messages, and a crash: the client goes on behind the last that it has got.
	s.say(t, "a", "said", number(1))
	o := s.say(t, "a", "said", number(2))
	c.Await("a live message", func(m wstest.Message) bool { return m.Ref == `"`+o+`"` })
	s.say(t, "a", "said", number(-1))
	c.Event("a", "phx_error")
	joinRef := c.Push("a", "phx_join", since(o))
	c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, `"`+o+`"`, "a", "bennu:resume", `{"status":"recovered"}`), wstest.Crashed(joinRef, "a"))
	_ = lastRef
}
