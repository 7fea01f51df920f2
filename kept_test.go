package bennu_test

import (
	"context"
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
	log, err := history.New(context.Background(), ps, &history.Options{Topics: topics})
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
