package bennu_test

import (
	"context"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
)

// textual is a channel for clients that can read text alone: the client asks for what it wants by its
// join, and binary broadcasts with the event "turned" are forwarded as JSON.
func textual(t testing.TB) *bennu.Definition[*room] {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in struct{ Rewind int }) (*room, bennu.Empty, error) {
		if in.Rewind > 0 {
			if err := ch.Rewind(in.Rewind); err != nil {
				t.Error(err)
			}
		}
		return &room{ch}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", echo)
	return d
}

// turning is textual with a handler that forwards bytes as JSON, and one that forwards them as they are.
func turning(t testing.TB) *bennu.Definition[*room] {
	d := textual(t)
	bennu.Intercept(d, "turned", func(_ *room, ctx context.Context, p bennu.Payload) error {
		return bennu.Forward(ctx, map[string]int{"bytes": len(p.Data)})
	})
	bennu.Intercept(d, "straight", func(_ *room, ctx context.Context, p bennu.Payload) error { return bennu.Forward(ctx, p) })
	return d
}

// TestKeptBinaryForText replays binary broadcasts to clients that can read text alone, and sends them live.
// The clients get the rest, and their position moves on.
func TestKeptBinaryForText(t *testing.T) {
	s := serveKept(t, one("*", textual(t)), &bennu.SocketOptions{Transports: both}, history.Topic{Pattern: "*", Size: 10})
	start := s.say(t, "a", "begin", nil)
	at := func(n string) string { return start[:9] + n }
	s.say(t, "a", "bytes", []byte{1, 2})
	s.say(t, "a", "said", number(1))
	s.say(t, "a", "bytes", []byte{3})

	t.Run("payload form", func(t *testing.T) {
		c := wstest.DialLongPoll(t, s.polls())
		joinRef := c.Push("a", "phx_join", `{"since":"`+start+`","offsets":"payload"}`)
		c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, "null", "a", "bennu:resume", `{"_offset":"`+start+`","status":"recovered"}`),
			wstest.Broadcast("a", "bennu:offset", `{"_offset":"`+at("2")+`"}`), wstest.Broadcast("a", "said", `{"_offset":"`+at("3")+`","n":1}`),
			wstest.Broadcast("a", "bennu:offset", `{"_offset":"`+at("4")+`"}`),
			wstest.V2(joinRef, "null", "a", "bennu:resume", `{"_offset":"`+at("4")+`","status":"live","count":1}`))
	})
	t.Run("no offsets", func(t *testing.T) {
		c := wstest.DialLongPoll(t, s.polls())
		joinRef := c.Push("a", "phx_join", `{"rewind":3}`)
		c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.Broadcast("a", "said", `{"n":1}`))
		c.Want("a", "echo", `{}`, "ok", `{}`)
	})
	t.Run("live", func(t *testing.T) {
		c, p := wstest.DialLongPoll(t, s.polls()), wstest.DialLongPoll(t, s.polls())
		joinSince(c, "live", since(""))
		joinSince(p, "live", `{"since":null,"offsets":"payload"}`)
		bytes := s.say(t, "live", "bytes", []byte{1, 2})
		said := s.say(t, "live", "said", number(1))
		c.Expect(kept(bytes, "live", "bennu:offset", `{}`), kept(said, "live", "said", `{"n":1}`))
		p.Expect(wstest.Broadcast("live", "bennu:offset", `{"_offset":"`+bytes+`"}`), wstest.Broadcast("live", "said", `{"_offset":"`+said+`","n":1}`))
		// The position counts: nothing comes again.
		last := s.say(t, "live", "bytes", []byte{5})
		c = wstest.DialLongPoll(t, s.polls())
		joinRef := c.Push("live", "phx_join", since(last))
		c.Expect(wstest.OK(joinRef, joinRef, "live"), wstest.V2(joinRef, `"`+last+`"`, "live", "bennu:resume", `{"status":"recovered"}`))
		c.Want("live", "echo", `{}`, "ok", `{}`)
	})
	if n := s.Stats().Reasons["binary_frame"]; n < 7 {
		t.Errorf("%d binary frames counted", n)
	}
	if lines := s.server.log.about("longpoll: binary frame dropped: no client can receive it over long polling"); len(lines) == 0 {
		t.Error("nothing in the log")
	}
}

// TestKeptBinaryIntercepted forwards binary broadcasts to a client that can read text alone.
func TestKeptBinaryIntercepted(t *testing.T) {
	s := serveKept(t, one("*", turning(t)), &bennu.SocketOptions{Transports: both})
	start := s.say(t, "a", "begin", nil)
	turned := s.say(t, "a", "turned", []byte{1, 2})
	s.say(t, "a", "straight", []byte{3})
	plain := s.say(t, "a", "plain", []byte{4})
	said := s.say(t, "a", "said", nil)
	c := wstest.DialLongPoll(t, s.polls())
	joinRef := c.Push("a", "phx_join", since(start))
	c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, `"`+start+`"`, "a", "bennu:resume", `{"status":"recovered"}`),
		kept(turned, "a", "turned", `{"bytes":2}`), kept(plain, "a", "bennu:offset", `{}`), kept(said, "a", "said", `{}`),
		wstest.V2(joinRef, `"`+said+`"`, "a", "bennu:resume", `{"status":"live","count":2}`))
	if n := s.Stats().Reasons["binary_frame"]; n < 2 { // one of them is that of "straight"
		t.Errorf("%d binary frames counted", n)
	}
}

// v1 is a client of version 1 of the protocol.
type v1 struct{ *wstest.Client }

func (c v1) join(topic, payload, ref string) {
	c.Send(wstest.Text(`{"topic":"` + topic + `","event":"phx_join","payload":` + payload + `,"ref":"` + ref + `"}`))
	c.want(`{"topic":"` + topic + `","event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"` + ref + `"}`)
}

func (c v1) want(frames ...string) {
	for _, f := range frames {
		c.ExpectFrame(wstest.Text(f))
	}
}

// TestKeptVersion1 joins, resumes, and loses its place, in both forms.
func TestKeptVersion1(t *testing.T) {
	s := serveKept(t, one("*", textual(t)), nil)
	dial := func(t *testing.T) v1 { return v1{wstest.Dial(t, strings.Replace(s.url, "vsn=2.0.0", "vsn=1.0.0", 1))} }
	for _, form := range []string{"ref", "payload"} {
		t.Run(form, func(t *testing.T) {
			topic := "t" + form
			start := s.say(t, topic, "begin", nil)
			// message is a message of either form.
			message := func(event, at, rest string) string {
				if form == "ref" {
					return `{"topic":"` + topic + `","event":"` + event + `","payload":{` + rest + `},"ref":"` + at + `"}`
				}
				if rest != "" {
					rest = "," + rest
				}
				return `{"topic":"` + topic + `","event":"` + event + `","payload":{"_offset":"` + at + `"` + rest + `},"ref":null}`
			}
			params := func(since string) string { return `{"since":` + since + `,"offsets":"` + form + `"}` }
			c := dial(t)
			c.join(topic, params("null"), "1")
			c.want(message("bennu:resume", start, `"status":"new"`))
			one := s.say(t, topic, "said", number(1))
			c.want(message("said", one, `"n":1`))
			bytes := s.say(t, topic, "bytes", []byte{1})
			c.want(message("bennu:offset", bytes, ""))
			c.Abort()

			two := s.say(t, topic, "said", number(2))
			c = dial(t)
			c.join(topic, params(`"`+one+`"`), "1")
			c.want(message("bennu:resume", one, `"status":"recovered"`), message("bennu:offset", bytes, ""), message("said", two, `"n":2`),
				message("bennu:resume", two, `"status":"live","count":1`))
			// A rejoin on the same connection, with what it had before, is fenced once.
			c.Send(wstest.Text(`{"topic":"` + topic + `","event":"phx_leave","payload":{},"ref":"2"}`))
			c.want(`{"topic":"`+topic+`","event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"2"}`, `{"topic":"`+topic+`","event":"phx_close","payload":{},"ref":null}`)
			c.Send(wstest.Text(`{"topic":"` + topic + `","event":"phx_join","payload":` + params(`"`+one+`"`) + `,"ref":"3"}`))
			c.want(`{"topic":"` + topic + `","event":"phx_error","payload":{"reason":"resume"},"ref":null}`)
			c.join(topic, params(`"`+two+`"`), "4")
			c.want(message("bennu:resume", two, `"status":"recovered"`))

			if err := s.log.Erase(t.Context(), topic); err != nil {
				t.Fatal(err)
			}
			next := s.say(t, topic, "said", number(3))
			for lost := false; !lost; {
				f := string(c.Next().Payload)
				lost = strings.Contains(f, `"status":"lost","reason":"unknown"`) && strings.Contains(f, next[:9])
			}
			last := s.say(t, topic, "said", number(4))
			for f := ""; f != message("said", last, `"n":4`); {
				f = string(c.Next().Payload)
			}
			c = dial(t)
			c.join(topic, params(`"nonsense"`), "1")
			c.want(message("bennu:resume", last, `"status":"lost","reason":"invalid"`))
		})
	}
}
