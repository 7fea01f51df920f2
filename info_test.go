package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// TestInfo sends messages of several types to a channel: the type chooses the
// handler, and one sender's order is kept.
func TestInfo(t *testing.T) {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		return &room{ch}, bennu.Empty{}, errors.Join(ch.Send(1), ch.Send("two"), ch.Send(&point{X: 3}), ch.Send(4.0), ch.Send(nil), ch.Send(point{X: 5}))
	})
	bennu.On(d, "echo", echo)
	bennu.OnInfo(d, func(r *room, _ context.Context, n int) error { return r.Push("int", map[string]int{"n": n}) })
	bennu.OnInfo(d, func(r *room, _ context.Context, s string) error { return r.Push("string", map[string]string{"s": s}) })
	bennu.OnInfo(d, func(r *room, _ context.Context, p *point) error { return r.Push("pointer", p) })
	bennu.OnInfo(d, func(r *room, _ context.Context, p point) error { return r.Push("value", p) })
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	ref := c.Push("a", "phx_join", "{}")
	push := func(event, payload string) string { return wstest.V2(ref, "null", "a", event, payload) }
	c.Expect(wstest.OK(ref, ref, "a"), push("int", `{"n":1}`), push("string", `{"s":"two"}`), push("pointer", `{"x":3,"y":0}`), push("value", `{"x":5,"y":0}`))
	if lines := strings.Join(s.log.about("channel callback failed"), "\n"); !strings.Contains(lines, "type float64") || !strings.Contains(lines, "type <nil>") {
		t.Errorf("messages without a handler are logged as %q", lines)
	}
	c.Want("a", "echo", "{}", "ok", "{}")
}

// TestChannelSubscribe lets a channel hear another topic, until its end.
func TestChannelSubscribe(t *testing.T) {
	channels := make(chan *bennu.Channel, 1)
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		channels <- ch
		return &room{ch}, bennu.Empty{}, ch.Subscribe("news")
	})
	bennu.OnInfo(d, func(r *room, _ context.Context, b bennu.Broadcast) error {
		return r.Push("heard", map[string]string{"topic": b.Topic, "event": b.Event, "payload": string(b.Payload.Data)})
	})
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	joinRef := c.Join("a")
	if err := errors.Join(s.Broadcast("news", "one", map[string]int{"n": 1}), s.LocalBroadcast("news", "two", nil), s.Broadcast("old", "three", nil)); err != nil {
		t.Error(err)
	}
	c.Expect(wstest.V2(joinRef, "null", "a", "heard", `{"topic":"news","event":"one","payload":"{\"n\":1}"}`),
		wstest.V2(joinRef, "null", "a", "heard", `{"topic":"news","event":"two","payload":"{}"}`))
	c.Want("a", "phx_leave", "{}", "ok", "{}")
	eventually(t, "the subscriptions are gone", func() bool { return s.PubSub().Topics() == 0 })
	if err := (<-channels).Subscribe("news"); !errors.Is(err, bennu.ErrClosed) {
		t.Errorf("Subscribe after the end: %v", err)
	}
	if n := s.PubSub().Topics(); n != 0 {
		t.Errorf("%d topics left", n)
	}
}

// TestChannelGo starts goroutines from everywhere. They end with the channel, and what
// they end with counts as from a handler.
func TestChannelGo(t *testing.T) {
	ran := make(chan string, 100)
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		ch.Go(func(ctx context.Context) error {
			ran <- fmt.Sprint("in join, pushing: ", ch.Push("x", nil))
			return nil
		})
		if ch.Topic() == "refused" {
			return nil, bennu.Empty{}, bennu.Errorf("no")
		}
		return &room{ch}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", echo)
	bennu.On(d, "wait", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		r.Go(func(ctx context.Context) error {
			<-ctx.Done()
			ran <- context.Cause(ctx).Error()
			r.Go(func(context.Context) error { ran <- "after the end"; return nil })
			panic("after the end")
		})
		return bennu.Empty{}, nil
	})
	bennu.On(d, "goexit", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		r.Go(func(context.Context) error { runtime.Goexit(); return nil })
		return bennu.Empty{}, nil
	})
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	ref := c.Push("refused", "phx_join", "{}")
	c.Expect(wstest.Refused(ref, ref, "refused", "no"))
	joinRef := c.Push("a", "phx_join", "{}")
	c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, "null", "a", "x", "{}"))
	if got := waittest.Next(t, "the goroutine of join", ran); got != "in join, pushing: <nil>" {
		t.Error(got)
	}
	c.Want("a", "wait", "{}", "ok", "{}")
	c.Want("a", "phx_leave", "{}", "ok", "{}")
	c.Event("a", "phx_close")
	if got := waittest.Next(t, "the end of the goroutine", ran); got != bennu.ErrLeft.Error() {
		t.Errorf("the context ended with %q", got)
	}
	eventually(t, "nothing runs", func() bool { return s.Stats().Callbacks == 0 })
	c.Fence()
	if n := s.Stats().Crashes; n != 0 {
		t.Errorf("%d channels are counted as crashed, though the panic came after the end", n)
	}
	if n := len(ran); n != 0 {
		t.Errorf("ran: %q", <-ran)
	}

	joinRef = c.Join("a")
	c.Event("a", "x")
	c.Push("a", "goexit", "{}")
	c.Await("the end", func(m wstest.Message) bool { return m.Ref == joinRef && m.JoinRef == joinRef && m.Event == "phx_error" })
	c.Want("a", "phx_leave", "{}", "ok", "{}")
}

// TestBadBroadcasts publishes what no client would take: the publisher is told.
func TestBadBroadcasts(t *testing.T) {
	channels := make(chan *bennu.Channel, 1)
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		channels <- ch
		return &room{ch}, bennu.Empty{}, nil
	})
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	ch := <-channels
	for _, tc := range []struct {
		name, event string
		payload     any
		want        error
	}{
		{"list", "e", []int{1}, bennu.ErrInvalid},
		{"null", "e", bennu.Raw("null"), bennu.ErrInvalid},
		{"string", "e", "x", bennu.ErrInvalid},
		{"no JSON", "e", bennu.Raw("{"), nil},
		{"payload that is no JSON", "e", bennu.Payload{Data: []byte("{")}, nil},
		{"channel", "e", make(chan int), nil},
		{"long event", strings.Repeat("e", 256), nil, nil},
		{"long event of bytes", strings.Repeat("e", 256), []byte{1}, nil},
		{"event that is not UTF-8", "\xff", []byte{1}, nil},
	} {
		for by, err := range map[string]error{
			"Push": ch.Push(tc.event, tc.payload), "Broadcast": ch.Broadcast(tc.event, tc.payload),
			"BroadcastFrom": ch.BroadcastFrom(tc.event, tc.payload), "Endpoint": s.Broadcast("a", tc.event, tc.payload),
			"Local": s.LocalBroadcast("a", tc.event, tc.payload), "Endpoint From": s.BroadcastFrom(ch, "a", tc.event, tc.payload),
		} {
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%s by %s: %v", tc.name, by, err)
			}
		}
	}
	c.Fence()
	if err := s.BroadcastFrom(ch, "a", "not here", nil); err != nil {
		t.Error(err)
	}
	if err := s.Broadcast("a", strings.Repeat("e", 255), []byte{1}); err != nil {
		t.Error(err)
	}
	c.ExpectFrame(wstest.Binary([]byte("\x02\x01\xffa" + strings.Repeat("e", 255) + "\x01")))
}

// TestBroadcastToOldClients broadcasts bytes to a topic that has a client of
// version 1, which cannot have them: others do.
func TestBroadcastToOldClients(t *testing.T) {
	s := serve(t, one("*", rooms()), nil, nil)
	old, c := wstest.Dial(t, strings.TrimSuffix(s.url, "?vsn=2.0.0")), wstest.Dial(t, s.url)
	old.Send(wstest.Text(`{"topic":"a","event":"phx_join","payload":{},"ref":"1"}`))
	old.ExpectFrame(wstest.Text(`{"topic":"a","event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1"}`))
	c.Join("a")
	if err := errors.Join(s.Broadcast("a", "b", []byte{1}), s.Broadcast("a", "t", nil)); err != nil {
		t.Error(err)
	}
	old.ExpectFrame(wstest.Text(`{"topic":"a","event":"t","payload":{},"ref":null}`))
	c.ExpectFrame(wstest.Binary([]byte("\x02\x01\x01ab\x01")))
	c.Expect(wstest.Broadcast("a", "t", "{}"))
}
