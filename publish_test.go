package bennu_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

func TestPublish(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "kept"})
	ctx := t.Context()
	a, err := s.Publish(ctx, "kept", "said", number(1), bennu.Key("k"))
	if err != nil || a.IsZero() {
		t.Fatal(a, err)
	}
	if again, err := s.Publish(ctx, "kept", "said", number(2), bennu.Key("k")); err != nil || again != a {
		t.Errorf("the same key: %v, %v; want %v", again, err, a)
	}
	b, err := s.Publish(ctx, "kept", "said", number(3), bennu.After(a))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Publish(ctx, "kept", "said", number(4), bennu.After(a))
	conflict, ok := errors.AsType[*history.Conflict](err)
	if !ok || conflict.Head != b || !errors.Is(err, history.ErrConflict) || !strings.HasSuffix(err.Error(), b.String()) {
		t.Errorf("After an older offset: %v", err)
	}
	page, err := s.History(ctx, "kept", &history.Query{After: a})
	if err != nil || len(page.Messages) != 1 || page.Messages[0].Offset != b || string(page.Messages[0].Payload) != `{"n":3}` || page.Head != b {
		t.Errorf("History: %+v, %v", page, err)
	}
	if _, err := s.History(ctx, "unkept", nil); !errors.Is(err, history.ErrNotKept) {
		t.Errorf("History of another topic: %v", err)
	}
	o, err := s.Publish(ctx, "unkept", "said", nil)
	if err != nil || !o.IsZero() {
		t.Errorf("on another topic: %v, %v", o, err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	for what, tc := range map[string]struct {
		publish func() (history.Offset, error)
		want    error
	}{
		"key without history":   {func() (history.Offset, error) { return s.Publish(ctx, "unkept", "e", nil, bennu.Key("k")) }, history.ErrNotKept},
		"after without history": {func() (history.Offset, error) { return s.Publish(ctx, "unkept", "e", nil, bennu.After(a)) }, history.ErrNotKept},
		"long key": {func() (history.Offset, error) {
			return s.Publish(ctx, "kept", "e", nil, bennu.Key(strings.Repeat("k", 129)))
		}, bennu.ErrInvalid},
		"no self":               {func() (history.Offset, error) { return s.Publish(ctx, "kept", "e", nil, bennu.ExceptSelf()) }, bennu.ErrInvalid},
		"event":                 {func() (history.Offset, error) { return s.Publish(ctx, "kept", "phx_close", nil) }, bennu.ErrInvalid},
		"payload":               {func() (history.Offset, error) { return s.Publish(ctx, "kept", "e", 1) }, bennu.ErrInvalid},
		"ended context":         {func() (history.Offset, error) { return s.Publish(over, "kept", "e", nil) }, history.ErrUnavailable},
		"ended context, unkept": {func() (history.Offset, error) { return s.Publish(over, "unkept", "e", nil) }, context.Canceled},
	} {
		if _, err := tc.publish(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", what, err, tc.want)
		}
	}
	stats := s.Stats().History
	if stats.Appends != 2 || stats.Doubled != 1 || stats.AppendErrors["conflict"] != 1 {
		t.Errorf("counted %+v", stats)
	}
}

// TestNotKept reads the errors about topics that are not kept: they say what to change.
func TestNotKept(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil, history.Topic{Pattern: "kept"})
	without := serve(t, one("*", rooms()), nil, nil)
	for want, do := range map[string]func() error{
		`"other" matches no Pattern of history.Options.Topics`: func() error {
			_, err := s.Publish(t.Context(), "other", "e", nil, bennu.Key("k"))
			return err
		},
		`"read" matches no Pattern of history.Options.Topics`: func() error {
			_, err := s.History(t.Context(), "read", nil)
			return err
		},
		`"erased" matches no Pattern of history.Options.Topics`: func() error { return s.log.Erase(t.Context(), "erased") },
		`"a" is a topic of an endpoint without EndpointOptions.History`: func() error {
			_, err := without.History(t.Context(), "a", nil)
			return err
		},
	} {
		if err := do(); !errors.Is(err, history.ErrNotKept) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestHistoryOfAnotherPubSub gives an endpoint a history that was made with another PubSub.
func TestHistoryOfAnotherPubSub(t *testing.T) {
	log, err := history.New(t.Context(), pubsub.NewLocal(), &history.Options{Topics: []history.Topic{{Pattern: "*"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close(context.Background()) })
	for what, h := range map[string]*history.Log{"another PubSub": log, "no New": new(history.Log)} {
		func() {
			defer func() {
				text, _ := recover().(string)
				if !strings.Contains(text, "publish_test.go:") || !strings.Contains(text, "EndpointOptions.History was made with another PubSub") {
					t.Errorf("%s: panics with %q", what, text)
				}
			}()
			bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: pubsub.NewLocal(), History: h})
		}()
	}
}

// TestHistoryForgotten makes an endpoint without the history of its PubSub.
func TestHistoryForgotten(t *testing.T) {
	ps := pubsub.NewLocal()
	log, err := history.New(t.Context(), ps, &history.Options{Topics: []history.Topic{{Pattern: "*"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		text, _ := recover().(string)
		if !strings.Contains(text, "publish_test.go:") || !strings.Contains(text, "set EndpointOptions.History to it") {
			t.Errorf("panics with %q", text)
		}
		if err := log.Close(t.Context()); err != nil {
			t.Error(err)
		}
		bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps})
	}()
	bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps})
}

// TestPublishFirst publishes only if nothing was published before.
func TestPublishFirst(t *testing.T) {
	s := serveKept(t, one("*", rooms()), nil)
	joinSince(wstest.Dial(t, s.url), "joined", since(""))
	for _, topic := range []string{"joined", "not joined"} {
		if _, err := s.Publish(t.Context(), topic, "said", nil, bennu.After(history.Offset{})); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
		if _, err := s.Publish(t.Context(), topic, "said", nil, bennu.After(history.Offset{})); !errors.Is(err, history.ErrConflict) {
			t.Errorf("%s, a second time: %v", topic, err)
		}
	}
}

// talkative is a channel whose client broadcasts in several ways.
func talkative(t testing.TB) *bennu.Definition[*room] {
	d := bennu.Define(joinRoom)
	bennu.On(d, "all", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, r.Broadcast("said", map[string]string{"by": "all"})
	})
	bennu.On(d, "others", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, r.BroadcastFrom("said", map[string]string{"by": "others"})
	})
	bennu.On(d, "except", func(r *room, ctx context.Context, _ bennu.Empty) (map[string]string, error) {
		o, err := r.Publish(ctx, "said", map[string]string{"by": "except"}, bennu.ExceptSelf())
		return map[string]string{"at": o.String()}, err
	})
	bennu.On(d, "listen", func(r *room, _ context.Context, in struct{ Topic string }) (bennu.Empty, error) {
		return bennu.Empty{}, r.Subscribe(in.Topic)
	})
	bennu.OnInfo(d, func(r *room, _ context.Context, b bennu.Broadcast) error {
		return r.Push("heard", map[string]string{"event": b.Event, "at": b.Offset.String()})
	})
	return d
}

// TestExceptSelf leaves the sender out, which is told the position.
func TestExceptSelf(t *testing.T) {
	s := serveKept(t, one("*", talkative(t)), nil, history.Topic{Pattern: "a"})
	sender, other, old := wstest.Dial(t, s.url), wstest.Dial(t, s.url), wstest.Dial(t, s.url)
	_, resume := joinSince(sender, "a", since(""))
	joinSince(other, "a", since(""))
	old.Join("a")
	epoch := resume.Ref[1:10]

	all := sender.Push("a", "all", "{}")
	sender.Expect(kept(epoch+"1", "a", "said", `{"by":"all"}`), wstest.OK(sender.JoinRef("a"), all, "a"))
	others := sender.Push("a", "others", "{}")
	sender.Expect(kept(epoch+"2", "a", "bennu:offset", `{}`), wstest.OK(sender.JoinRef("a"), others, "a"))
	except := sender.Push("a", "except", "{}")
	sender.Expect(kept(epoch+"3", "a", "bennu:offset", `{}`), wstest.Reply(sender.JoinRef("a"), except, "a", "ok", `{"at":"`+epoch+`3"}`))
	other.Expect(kept(epoch+"1", "a", "said", `{"by":"all"}`), kept(epoch+"2", "a", "said", `{"by":"others"}`), kept(epoch+"3", "a", "said", `{"by":"except"}`))
	old.Expect(wstest.Broadcast("a", "said", `{"by":"all"}`), wstest.Broadcast("a", "said", `{"by":"others"}`), wstest.Broadcast("a", "said", `{"by":"except"}`))
	ref := old.Push("a", "others", "{}")
	old.Expect(wstest.OK(old.JoinRef("a"), ref, "a"))
	sender.Expect(kept(epoch+"4", "a", "said", `{"by":"others"}`))

	// After a cut it gets them: it cannot know that it had sent them.
	sender = wstest.Dial(t, s.url)
	joinSince(sender, "a", since(epoch+"1"))
	sender.Expect(kept(epoch+"2", "a", "said", `{"by":"others"}`), kept(epoch+"3", "a", "said", `{"by":"except"}`))
}

// TestSubscribeKept gives offsets to subscriptions of the program.
func TestSubscribeKept(t *testing.T) {
	s := serveKept(t, one("*", talkative(t)), nil, history.Topic{Pattern: "a"}, history.Topic{Pattern: "b"})
	c := wstest.Dial(t, s.url)
	joinRef := c.Join("b")
	c.Want("b", "listen", `{"topic":"a"}`, "ok", `{}`)
	heard := make(chan bennu.Broadcast, 10)
	sub := s.Subscribe("a", func(_ context.Context, b bennu.Broadcast) { heard <- b })
	defer sub.Cancel()
	o := s.say(t, "a", "said", nil)
	c.Expect(wstest.V2(joinRef, "null", "b", "heard", `{"event":"said","at":"`+o+`"}`))
	if b := <-heard; b.Offset.String() != o || b.Event != "said" {
		t.Errorf("heard %+v", b)
	}
	if err := s.LocalBroadcast("a", "local", nil); err != nil {
		t.Fatal(err)
	}
	c.Expect(wstest.V2(joinRef, "null", "b", "heard", `{"event":"local","at":""}`))
	if b := <-heard; !b.Offset.IsZero() || b.Event != "local" {
		t.Errorf("heard %+v", b)
	}
	if n := s.Stats().Topics; n != 2 {
		t.Errorf("%d topics", n)
	}
}

// TestKeptForms is what clients of other forms and versions get.
func TestKeptForms(t *testing.T) {
	s := serveKept(t, one("*", talkative(t)), &bennu.SocketOptions{Transports: both})
	start := s.say(t, "a", "begin", nil)
	epoch := start[:9]
	s.say(t, "a", "said", number(1))
	s.say(t, "a", "bytes", []byte{1, 2})
	s.say(t, "a", "empty", nil)
	binary := wstest.Frame{Op: wstest.OpBinary, Payload: []byte("\x02\x01\x05abytes\x01\x02")}

	t.Run("ref", func(t *testing.T) {
		c := wstest.Dial(t, s.url)
		joinRef := c.Push("a", "phx_join", since(start))
		c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, `"`+start+`"`, "a", "bennu:resume", `{"status":"recovered"}`),
			kept(epoch+"2", "a", "said", `{"n":1}`), wstest.Broadcast("a", "bennu:offset", `{"next":"`+epoch+`3"}`))
		c.ExpectFrame(binary)
		c.Expect(kept(epoch+"4", "a", "empty", `{}`), wstest.V2(joinRef, `"`+epoch+`4"`, "a", "bennu:resume", `{"status":"live","count":3}`))
	})
	t.Run("payload", func(t *testing.T) {
		c := wstest.Dial(t, s.url)
		joinRef := c.Push("a", "phx_join", `{"since":"`+start+`","offsets":"payload"}`)
		c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, "null", "a", "bennu:resume", `{"_offset":"`+start+`","status":"recovered"}`),
			wstest.Broadcast("a", "said", `{"_offset":"`+epoch+`2","n":1}`), wstest.Broadcast("a", "bennu:offset", `{"next":"`+epoch+`3"}`))
		c.ExpectFrame(binary)
		c.Expect(wstest.Broadcast("a", "empty", `{"_offset":"`+epoch+`4"}`),
			wstest.V2(joinRef, "null", "a", "bennu:resume", `{"_offset":"`+epoch+`4","status":"live","count":3}`))
	})
	t.Run("longpoll", func(t *testing.T) {
		c := wstest.DialLongPoll(t, s.polls())
		joinRef := c.Push("a", "phx_join", since(start))
		c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, `"`+start+`"`, "a", "bennu:resume", `{"status":"recovered"}`),
			kept(epoch+"2", "a", "said", `{"n":1}`), kept(epoch+"3", "a", "bennu:offset", `{}`),
			kept(epoch+"4", "a", "empty", `{}`), wstest.V2(joinRef, `"`+epoch+`4"`, "a", "bennu:resume", `{"status":"live","count":2}`))
	})
	t.Run("version 1", func(t *testing.T) {
		c := wstest.Dial(t, strings.Replace(s.url, "vsn=2.0.0", "vsn=1.0.0", 1))
		c.Send(wstest.Text(`{"topic":"a","event":"phx_join","payload":{"since":"` + start + `"},"ref":"1"}`))
		for _, want := range []string{
			`{"topic":"a","event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1"}`,
			`{"topic":"a","event":"bennu:resume","payload":{"status":"recovered"},"ref":"` + start + `"}`,
			`{"topic":"a","event":"said","payload":{"n":1},"ref":"` + epoch + `2"}`,
			`{"topic":"a","event":"bennu:offset","payload":{},"ref":"` + epoch + `3"}`,
			`{"topic":"a","event":"empty","payload":{},"ref":"` + epoch + `4"}`,
			`{"topic":"a","event":"bennu:resume","payload":{"status":"live","count":2},"ref":"` + epoch + `4"}`,
		} {
			c.ExpectFrame(wstest.Frame{Op: wstest.OpText, Payload: []byte(want)})
		}
	})
	t.Run("live", func(t *testing.T) {
		c, p := wstest.Dial(t, s.url), wstest.Dial(t, s.url)
		joinSince(c, "live", since(""))
		joinSince(p, "live", `{"since":null,"offsets":"payload"}`)
		o := s.say(t, "live", "bytes", []byte{1, 2})
		for _, c := range []*wstest.Client{c, p} {
			c.Expect(wstest.Broadcast("live", "bennu:offset", `{"next":"`+o+`"}`))
			c.ExpectFrame(wstest.Frame{Op: wstest.OpBinary, Payload: []byte("\x02\x04\x05livebytes\x01\x02")})
		}
		o = s.say(t, "live", "said", number(1))
		c.Expect(kept(o, "live", "said", `{"n":1}`))
		p.Expect(wstest.Broadcast("live", "said", `{"_offset":"`+o+`","n":1}`))
	})
}
