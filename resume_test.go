package bennu_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

// keeping is a server whose topics have a history.
type keeping struct {
	*server
	log *history.Log
}

// serveKept serves users with a history of topics in memory. Without topics it is that of all.
func serveKept(t testing.TB, users *bennu.SocketHandler, mount *bennu.SocketOptions, topics ...history.Topic) *keeping {
	t.Helper()
	if len(topics) == 0 {
		topics = []history.Topic{{Pattern: "*"}}
	}
	ps := pubsub.NewLocal()
	log, err := history.New(context.Background(), ps, &history.Options{Topics: topics, Logger: slog.New(newLogbook())})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, users, mount, &bennu.EndpointOptions{PubSub: ps, History: log})
	s.OnShutdown(log.Close)
	return &keeping{s, log}
}

// say broadcasts an event and returns its offset.
func (k *keeping) say(t testing.TB, topic, event string, payload any) string {
	t.Helper()
	o, err := k.Publish(t.Context(), topic, event, payload)
	if err != nil {
		t.Fatal(err)
	}
	return o.String()
}

// since is the payload of a join that asks for offsets; "" is null.
func since(offset string) string {
	if offset == "" {
		return `{"since":null}`
	}
	return `{"since":"` + offset + `"}`
}

// joinSince joins and returns the join_ref and the bennu:resume that follows.
func joinSince(c *wstest.Client, topic, payload string) (joinRef string, resume wstest.Message) {
	joinRef = c.Push(topic, "phx_join", payload)
	if m := c.Message(); m.Event != "phx_reply" || m.Status != "ok" || m.Ref != joinRef {
		panic("join: " + m.String())
	}
	return joinRef, c.Message()
}

// kept is a broadcast with an offset.
func kept(offset, topic, event, payload string) string {
	return wstest.V2("null", `"`+offset+`"`, topic, event, payload)
}

var position = regexp.MustCompile(`^"[a-z2-7]{8}:[0-9]{1,20}"$`)

func TestResumeNew(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil)
	c := wstest.Dial(t, s.url)
	joinRef, resume := joinSince(c, "a", since(""))
	if resume.JoinRef != joinRef || resume.Event != "bennu:resume" || resume.Payload != `{"status":"new"}` || !position.MatchString(resume.Ref) {
		t.Fatalf("got %v", resume)
	}
	o := s.say(t, "a", "said", bennu.Raw(`{"n":1}`))
	if before, _, _ := strings.Cut(resume.Ref[1:], ":"); before != o[:8] {
		t.Errorf("the topic had %s before its first message, which is %s", resume.Ref, o)
	}
	c.Expect(kept(o, "a", "said", `{"n":1}`))
	c.Fence()
}

func TestResumeRecovered(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil)
	c := wstest.Dial(t, s.url)
	_, resume := joinSince(c, "a", since(""))
	c.Abort()
	first := s.say(t, "a", "said", bennu.Raw(`{"n":1}`))
	second := s.say(t, "a", "said", nil)

	c = wstest.Dial(t, s.url)
	joinRef := c.Push("a", "phx_join", `{"since":`+resume.Ref+`}`)
	c.Expect(
		wstest.OK(joinRef, joinRef, "a"),
		wstest.V2(joinRef, resume.Ref, "a", "bennu:resume", `{"status":"recovered"}`),
		kept(first, "a", "said", `{"n":1}`),
		kept(second, "a", "said", `{}`),
		wstest.V2(joinRef, `"`+second+`"`, "a", "bennu:resume", `{"status":"live","count":2}`),
	)
	third := s.say(t, "a", "said", nil)
	c.Expect(kept(third, "a", "said", `{}`))

	// Nothing was missed.
	c = wstest.Dial(t, s.url)
	joinRef = c.Push("a", "phx_join", since(third))
	c.Expect(
		wstest.OK(joinRef, joinRef, "a"),
		wstest.V2(joinRef, `"`+third+`"`, "a", "bennu:resume", `{"status":"recovered"}`),
	)
	c.Fence()
}

// lostMessage is the answer to a client that has lost messages. One that comes after the join has no
// join_ref, as broadcasts have none.
func lostMessage(joinRef, offset, topic, reason string) string {
	return wstest.V2(joinRef, `"`+offset+`"`, topic, "bennu:resume", `{"status":"lost","reason":"`+reason+`"}`)
}

func TestResumeLost(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "*", Size: 3, MaxReplay: 2})
	for _, tc := range []struct{ since, reason string }{
		{"4", "invalid"},
		{"not a position", "invalid"},
		{"e7k2mxx4:18446744073709551616", "invalid"},
		{"aaaaaaaa:1", "epoch"},
		{"1", "expired"},
		{"999", "unknown"},
		{"18446744073709551615", "unknown"},
		{"3", "too_many"},
	} {
		topic := tc.reason + tc.since
		t.Run(topic, func(t *testing.T) {
			var head string
			for range 6 {
				head = s.say(t, topic, "said", nil)
			}
			at := tc.since
			if tc.reason != "invalid" && tc.reason != "epoch" {
				at = head[:9] + tc.since
			}
			c := wstest.Dial(t, s.url)
			joinRef := c.Push(topic, "phx_join", since(at))
			c.Expect(wstest.OK(joinRef, joinRef, topic), lostMessage(joinRef, head, topic, tc.reason))
			// It goes on from now.
			next := s.say(t, topic, "said", nil)
			c.Expect(kept(next, topic, "said", `{}`))
			c.Fence()
		})
	}
	stats := s.Stats().History
	if stats.Lost["invalid"] != 3 || stats.Lost["epoch"] != 1 || stats.Lost["expired"] != 1 || stats.Lost["unknown"] != 2 || stats.Lost["too_many"] != 1 {
		t.Errorf("counted %v", stats.Lost)
	}
	if lines := s.server.log.about("a client was told that it has lost messages of a topic"); len(lines) != 8 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

func TestResumeNotAsked(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "kept", Rewind: 5}, history.Topic{Pattern: "quiet", NoResume: true})
	for _, tc := range []struct{ topic, payload string }{
		{"kept", `{}`}, {"kept", `{"since":7}`}, {"kept", `[]`}, {"quiet", `{"since":null}`}, {"unkept", `{"since":null}`},
	} {
		s.say(t, tc.topic, "said", nil)
		c := wstest.Dial(t, s.url)
		joinRef := c.Push(tc.topic, "phx_join", tc.payload)
		c.Expect(wstest.OK(joinRef, joinRef, tc.topic))
		c.Fence()
		s.say(t, tc.topic, "said", bennu.Raw(`{"n":1}`))
		c.Expect(wstest.Broadcast(tc.topic, "said", `{"n":1}`))
		c.Want(tc.topic, "echo", `{"a":1}`, "ok", `{"a":1}`)
		ref := c.Push(tc.topic, "phx_leave", "{}")
		c.Expect(wstest.OK(joinRef, ref, tc.topic), wstest.Closed(joinRef, tc.topic))
	}
}

func TestRewind(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "*", Rewind: 2, Size: 10})
	// A topic with fewer messages.
	c := wstest.Dial(t, s.url)
	one := s.say(t, "few", "said", bennu.Raw(`{"n":1}`))
	joinRef := c.Push("few", "phx_join", since(""))
	c.Expect(wstest.OK(joinRef, joinRef, "few"),
		wstest.V2(joinRef, `"`+one[:9]+`0"`, "few", "bennu:resume", `{"status":"new"}`),
		kept(one, "few", "said", `{"n":1}`),
		wstest.V2(joinRef, `"`+one+`"`, "few", "bennu:resume", `{"status":"live","count":1}`))
	var offsets []string
	for range 12 {
		offsets = append(offsets, s.say(t, "a", "said", nil))
	}
	joinRef = c.Push("a", "phx_join", since(""))
	rewound := []string{
		kept(offsets[10], "a", "said", `{}`), kept(offsets[11], "a", "said", `{}`),
	}
	live := `{"status":"live","count":2}`
	c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, `"`+offsets[9]+`"`, "a", "bennu:resume", `{"status":"new"}`))
	c.Expect(rewound...)
	c.Expect(wstest.V2(joinRef, `"`+offsets[11]+`"`, "a", "bennu:resume", live))
	c = wstest.Dial(t, s.url)
	joinRef = c.Push("a", "phx_join", since(offsets[0]))
	c.Expect(wstest.OK(joinRef, joinRef, "a"), lostMessage(joinRef, offsets[9], "a", "expired"))
	c.Expect(rewound...)
	c.Expect(wstest.V2(joinRef, `"`+offsets[11]+`"`, "a", "bennu:resume", live))
	c.Fence()
}

// TestResumeByProgram is Resume, Rewind, Offsets and Resumed.
func TestResumeByProgram(t *testing.T) {
	var from history.Offset
	type asks struct{ Do string }
	results := make(chan error, 10)
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in asks) (*room, bennu.Empty, error) {
		switch in.Do {
		case "resume":
			results <- ch.Resume(from)
		case "resume in payload":
			results <- ch.Resume(from)
			results <- ch.Offsets(bennu.InPayload)
		case "rewind":
			results <- ch.Rewind(1)
		case "offsets":
			results <- ch.Offsets(bennu.InRef)
		case "no offsets":
			results <- ch.Offsets(bennu.NoOffsets)
		case "wrong":
			results <- ch.Offsets(7)
			results <- ch.Rewind(-1)
		}
		return &room{ch}, bennu.Empty{}, nil
	})
	bennu.On(d, "resumed", func(r *room, _ context.Context, _ bennu.Empty) (map[string]string, error) {
		if err := r.Resume(from); err == nil {
			t.Error("Resume after Join: no error")
		}
		return map[string]string{"is": r.Resumed().String()}, nil
	})
	s := serveKept(t, one("*", d), nil, history.Topic{Pattern: "a"})
	offsets := []string{s.say(t, "a", "said", nil), s.say(t, "a", "said", bennu.Raw(`{"n":2}`))}
	from, _ = history.ParseOffset(offsets[0])
	for _, tc := range []struct {
		payload, resumed string
		want             []string
	}{
		{`{}`, "", nil},
		{`{"do":"resume"}`, "recovered", []string{
			`["1","` + offsets[0] + `","a","bennu:resume",{"status":"recovered"}]`,
			kept(offsets[1], "a", "said", `{"n":2}`),
			`["1","` + offsets[1] + `","a","bennu:resume",{"status":"live","count":1}]`}},
		{`{"do":"resume in payload"}`, "recovered", []string{
			`["1",null,"a","bennu:resume",{"_offset":"` + offsets[0] + `","status":"recovered"}]`,
			wstest.Broadcast("a", "said", `{"_offset":"`+offsets[1]+`","n":2}`),
			`["1",null,"a","bennu:resume",{"_offset":"` + offsets[1] + `","status":"live","count":1}]`}},
		{`{"do":"rewind"}`, "new", []string{wstest.Broadcast("a", "said", `{"n":2}`)}},
		{`{"do":"offsets"}`, "new", []string{`["1","` + offsets[1] + `","a","bennu:resume",{"status":"new"}]`}},
		{`{"do":"no offsets","since":"` + offsets[0] + `"}`, "recovered", []string{wstest.Broadcast("a", "said", `{"n":2}`)}},
		{`{"do":"wrong"}`, "", nil},
	} {
		t.Run(tc.payload, func(t *testing.T) {
			c := wstest.Dial(t, s.url)
			joinRef := c.Push("a", "phx_join", tc.payload)
			c.Expect(wstest.OK(joinRef, joinRef, "a"))
			c.Expect(tc.want...)
			c.Want("a", "resumed", `{}`, "ok", `{"is":"`+tc.resumed+`"}`)
			for len(results) > 0 {
				if err := <-results; (err != nil) != strings.Contains(tc.payload, "wrong") {
					t.Error(err)
				}
			}
		})
	}
	c := wstest.Dial(t, s.url)
	c.Want("unkept", "phx_join", `{"do":"resume"}`, "ok", `{}`)
	if err := <-results; !errors.Is(err, history.ErrNotKept) {
		t.Errorf("Resume on a topic that is not kept: %v", err)
	}
}

// TestBroke erases a history under a client.
func TestBroke(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "a"}, history.Topic{Pattern: "last", Rewind: 1, Size: 1})
	c := wstest.Dial(t, s.url)
	joinSince(c, "a", since(""))
	c.Expect(kept(s.say(t, "a", "said", nil), "a", "said", `{}`))
	if err := s.log.Erase(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	s.say(t, "a", "said", nil)
	lost := c.Message()
	if lost.JoinRef != "null" || lost.Event != "bennu:resume" || lost.Payload != `{"status":"lost","reason":"unknown"}` {
		t.Fatalf("got %v", lost)
	}
	o := s.say(t, "a", "said", bennu.Raw(`{"n":2}`))
	c.Await("the message after the loss", func(m wstest.Message) bool { return m.Ref == `"`+o+`"` && m.Payload == `{"n":2}` })

	// The current value of a topic with a Rewind is sent again.
	c = wstest.Dial(t, s.url)
	joinSince(c, "last", since(""))
	c.Expect(kept(s.say(t, "last", "said", nil), "last", "said", `{}`))
	if err := s.log.Erase(t.Context(), "last"); err != nil {
		t.Fatal(err)
	}
	o = s.say(t, "last", "said", bennu.Raw(`{"n":2}`))
	c.Expect(lostMessage("null", o[:9]+"0", "last", "unknown"), kept(o, "last", "said", `{"n":2}`))
}
