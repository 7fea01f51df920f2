package bennu_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
)

// TestKeptBounds has topics with the smallest bounds, and joins with the largest and the oddest demands.
func TestKeptBounds(t *testing.T) {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in struct{ Rewind int }) (*room, bennu.Empty, error) {
		if in.Rewind > 0 {
			return &room{ch}, bennu.Empty{}, ch.Rewind(in.Rewind)
		}
		return &room{ch}, bennu.Empty{}, nil
	})
	s := serveKept(t, one("*", d), nil,
		history.Topic{Pattern: "one", Size: 1, Rewind: 1, MaxReplay: 1},
		history.Topic{Pattern: "few:bytes", Bytes: 20},
		history.Topic{Pattern: "few:now", Age: time.Nanosecond, Rewind: 3},
		history.Topic{Pattern: "few:*", Size: 3, MaxReplay: 1, Rewind: 3},
	)
	join := func(topic, payload string) (c *wstest.Client, resume wstest.Message) {
		c = wstest.Dial(t, s.url)
		_, resume = joinSince(c, topic, payload)
		return c, resume
	}
	want := func(t *testing.T, what string, m wstest.Message, ref, payload string) {
		t.Helper()
		if m.Ref != `"`+ref+`"` || m.Payload != payload {
			t.Errorf("%s: %v, want %s %s", what, m, ref, payload)
		}
	}
	t.Run("size 1", func(t *testing.T) {
		at := []string{s.say(t, "one", "said", number(1)), s.say(t, "one", "said", number(2)), s.say(t, "one", "said", number(3))}
		c, m := join("one", since(at[2]))
		want(t, "nothing missed", m, at[2], `{"status":"recovered"}`)
		c.Fence()
		c, m = join("one", since(at[1]))
		want(t, "one missed", m, at[1], `{"status":"recovered"}`)
		c.Expect(kept(at[2], "one", "said", `{"n":3}`))
		c, m = join("one", since(at[0]))
		want(t, "two missed", m, at[1], `{"status":"lost","reason":"expired"}`)
		c.Expect(kept(at[2], "one", "said", `{"n":3}`))
	})
	t.Run("MaxReplay below Rewind", func(t *testing.T) {
		var at []string
		for n := range 6 {
			at = append(at, s.say(t, "few:a", "said", number(n)))
		}
		_, m := join("few:a", since(at[4]))
		want(t, "one missed", m, at[4], `{"status":"recovered"}`)
		c, m := join("few:a", since(at[3]))
		want(t, "two missed", m, at[2], `{"status":"lost","reason":"too_many"}`)
		c.Expect(kept(at[3], "few:a", "said", `{"n":3}`), kept(at[4], "few:a", "said", `{"n":4}`), kept(at[5], "few:a", "said", `{"n":5}`))
		_, m = join("few:a", `{"since":null,"rewind":1000000000}`)
		want(t, "a large Rewind", m, at[2], `{"status":"new"}`)
	})
	t.Run("bytes", func(t *testing.T) {
		if _, err := s.Publish(t.Context(), "few:bytes", "said", bennu.Raw(`{"text":"`+strings.Repeat("x", 20)+`"}`)); !errors.Is(err, history.ErrTooLarge) {
			t.Errorf("a message larger than Bytes: %v", err)
		}
		at := s.say(t, "few:bytes", "said", number(1))
		for n := range 5 {
			s.say(t, "few:bytes", "said", number(n))
		}
		_, m := join("few:bytes", since(at))
		if m.Payload != `{"status":"lost","reason":"expired"}` {
			t.Errorf("got %v", m)
		}
	})
	t.Run("no time", func(t *testing.T) {
		c, m := join("few:now", since(""))
		if m.Payload != `{"status":"new"}` {
			t.Errorf("got %v", m)
		}
		at := s.say(t, "few:now", "said", number(1))
		c.Expect(kept(at, "few:now", "said", `{"n":1}`))
		page, err := s.History(t.Context(), "few:now", nil)
		if err != nil || len(page.Messages) != 0 || page.Head.String() != at {
			t.Errorf("%+v, %v", page, err)
		}
		_, m = join("few:now", since(at))
		want(t, "at the head", m, at, `{"status":"recovered"}`)
	})
	t.Run("odd demands", func(t *testing.T) {
		at := s.say(t, "few:odd", "said", number(1))
		epoch := at[:9]
		for payload, told := range map[string]string{
			`{"since":"` + epoch + `18446744073709551615"}`:                                        `{"status":"lost","reason":"unknown"}`, // 29 bytes
			`{"since":"` + epoch + `184467440737095516150"}`:                                       `{"status":"lost","reason":"invalid"}`, // 30
			`{"\u0073ince":"\u00` + hex(at[0]) + at[1:] + `"}`:                                     `{"status":"recovered"}`,
			`{"since":7,"since":"` + at + `"}`:                                                     `{"status":"recovered"}`,
			`{"since":"` + at + `","since":null}`:                                                  `{"status":"new"}`,
			`{"a":{"since":"` + at + `"},"b":[[[{"since":1}]]],"since":"` + at + `"}`:              `{"status":"recovered"}`,
			`{"x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `,"since":"` + at + `"}`: `{"status":"recovered"}`,
		} {
			if _, m := join("few:odd", payload); m.Payload != told {
				t.Errorf("%s: %v, want %s", payload, m, told)
			}
		}
		// Not opted in.
		for _, payload := range []string{`{"a":{"since":"` + at + `"}}`, `{"since":"` + at + `","since":7}`, `{"Since":null}`} {
			c := wstest.Dial(t, s.url)
			c.Join("few:odd")
			ref := c.Push("few:odd", "phx_leave", "{}")
			c.ReplyTo(ref)
			joinRef := c.Push("few:odd", "phx_join", payload)
			c.Await("the join", func(m wstest.Message) bool { return m.Ref == joinRef || m.Ref == `"`+joinRef+`"` })
			next := s.say(t, "few:odd", "said", nil)
			if m := c.Await("a broadcast", func(m wstest.Message) bool { return m.Event == "said" }); m.Ref != "null" {
				t.Errorf("%s: %v, %s", payload, m, next)
			}
		}
	})
}

// hex returns two digits for a byte.
func hex(b byte) string { return string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]) }
