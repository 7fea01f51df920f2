package bennu_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// TestReplyRef answers later: from other goroutines, more than once, to a message without a
// ref, and after the channel has ended.
func TestReplyRef(t *testing.T) {
	refs := make(chan *bennu.Ref, 1)
	d := rooms()
	bennu.On(d, "later", func(_ *room, ctx context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		refs <- bennu.ReplyRef(inner)
		return bennu.NoReply{}, nil
	})
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	joinRef := c.Join("a")

	ref := c.Push("a", "later", "{}")
	r := waittest.Next(t, "the ref", refs)
	echoed := c.Push("a", "echo", "{}")
	c.Expect(wstest.OK(joinRef, echoed, "a"))
	for _, tc := range []struct {
		err  error
		want string
	}{
		{r.Reply(nil), wstest.OK(joinRef, ref, "a")},
		{r.Reply(map[string]int{"n": 2}), wstest.Reply(joinRef, ref, "a", "ok", `{"n":2}`)},
		{r.ReplyStatus("busy", []int{}), wstest.Reply(joinRef, ref, "a", "busy", `[]`)},
		{r.Refuse(bennu.Errorf("late")), wstest.Refused(joinRef, ref, "a", "late")},
	} {
		if tc.err != nil {
			t.Errorf("reply: %v", tc.err)
		}
		c.Expect(tc.want)
	}
	if err := r.Reply(make(chan int)); err == nil {
		t.Error("a reply that does not encode has no error")
	}
	c.Fence()

	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := r.Reply(bennu.Raw(`"x"`)); err != nil {
				t.Errorf("reply: %v", err)
			}
		})
	}
	all.Wait()
	for range 50 {
		c.Expect(wstest.Reply(joinRef, ref, "a", "ok", `"x"`))
	}

	c.Send(wstest.Text(`[null,null,"a","later",{}]`))
	if err := waittest.Next(t, "the ref", refs).Reply(nil); !errors.Is(err, bennu.ErrNoRef) {
		t.Errorf("reply to a message without ref: %v", err)
	}
	c.Fence()

	// A new instance of the topic must not get replies of the old one.
	old := joinRef
	joinRef = c.Push("a", "phx_join", "{}")
	c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.Closed(old, "a"))
	if err := r.Reply(nil); !errors.Is(err, bennu.ErrClosed) {
		t.Errorf("reply after the end: %v", err)
	}
	c.Fence()
}

// TestReplyRefElsewhere asks for a ref where there is no message to answer.
func TestReplyRefElsewhere(t *testing.T) {
	found := make(chan *bennu.Ref, 10)
	d := bennu.Define(func(ctx context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		found <- bennu.ReplyRef(ctx)
		ch.Go(func(ctx context.Context) error { found <- bennu.ReplyRef(ctx); return nil })
		return &room{ch}, bennu.Empty{}, ch.Send(1)
	})
	bennu.OnInfo(d, func(r *room, ctx context.Context, _ int) error {
		found <- bennu.ReplyRef(ctx)
		return r.Broadcast("out", nil)
	})
	bennu.Intercept(d, "out", func(_ *room, ctx context.Context, _ bennu.Empty) error { found <- bennu.ReplyRef(ctx); return nil })
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	for range 4 {
		if r := waittest.Next(t, "a callback", found); r != nil {
			t.Errorf("found %+v", r)
		}
	}
	if bennu.ReplyRef(context.Background()) != nil {
		t.Error("found a ref in no handler at all")
	}
}
