package bennu_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

// outcomesOf are the results of publishing at many places.
type outcomesOf struct {
	mu   sync.Mutex
	errs map[string]error
	most time.Duration // the longest publish
}

// publish publishes on the topic of a channel, or as the endpoint, and keeps the result.
func (o *outcomesOf) publish(where string, publish func(ctx context.Context, event string, payload any, opts ...bennu.PublishOption) (history.Offset, error), ctx context.Context) {
	began := time.Now()
	_, err := publish(ctx, "from "+where, nil)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errs[where], o.most = err, max(o.most, time.Since(began))
}

func (o *outcomesOf) get(where string) (error, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	err, ok := o.errs[where]
	return err, ok
}

// publisherRoom publishes on its own topic wherever its code runs.
type publisherRoom struct {
	*bennu.Channel
	*outcomesOf
}

func (r *publisherRoom) Terminate(error) { r.publish("Terminate", r.Publish, context.Background()) }

// publishers is a channel of these.
func publishers(o *outcomesOf) bennu.ChannelHandler {
	d := bennu.Define(func(ctx context.Context, ch *bennu.Channel, _ bennu.Empty) (*publisherRoom, bennu.Empty, error) {
		r := &publisherRoom{ch, o}
		o.publish("Join", ch.Publish, ctx)
		o.publish("Join, by the endpoint", func(ctx context.Context, event string, payload any, opts ...bennu.PublishOption) (history.Offset, error) {
			return ch.Socket().Endpoint().Publish(ctx, ch.Topic(), event, payload, opts...)
		}, ctx)
		ch.Go(func(ctx context.Context) error { o.publish("Go", ch.Publish, ctx); return nil })
		ch.AfterEnd(func() { o.publish("AfterEnd", ch.Publish, context.Background()) })
		return r, bennu.Empty{}, nil
	})
	bennu.On(d, "on", func(r *publisherRoom, ctx context.Context, _ bennu.Empty) (bennu.Empty, error) {
		r.publish("On", r.Publish, ctx)
		return bennu.Empty{}, r.Send(1)
	})
	bennu.OnInfo(d, func(r *publisherRoom, ctx context.Context, _ int) error {
		r.publish("OnInfo", r.Publish, ctx)
		return nil
	})
	bennu.Intercept(d, "said", func(r *publisherRoom, ctx context.Context, _ bennu.Empty) error {
		r.publish("Intercept", r.Publish, ctx)
		return bennu.Forward(ctx, nil)
	})
	return d
}

// TestPublishFromAnywhere publishes on the topic of a channel from each place where its code runs, with a
// store that answers, and with one that is away: nothing deadlocks, each call ends in time, and its error
// tells what happened.
func TestPublishFromAnywhere(t *testing.T) {
	for name, away := range map[string]error{"store": nil, "no store": history.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			store, o := new(keptStore), &outcomesOf{errs: map[string]error{}}
			s := serveStore(t, one("*", publishers(o)), pubsub.NewLocal(), &history.Options{
				Store: store, Topics: []history.Topic{{Pattern: "*"}}, PublishTimeout: 200 * time.Millisecond,
			})
			first := s.say(t, "a", "said", nil)
			c, held := wstest.Dial(t, s.url), wstest.Dial(t, s.url)
			joinSince(held, "a", since(first)) // so that the follower knows its head
			store.setFail(func() error { return away })
			joinRef := c.Push("a", "phx_join", since(first))
			c.ReplyTo(joinRef)
			c.ReplyTo(c.Push("a", "on", "{}"))
			if away != nil {
				store.setFail(nil)
			}
			s.say(t, "a", "said", nil)
			c.Await("what is forwarded", func(m wstest.Message) bool { return m.Event == "said" })
			store.setFail(func() error { return away })
			c.Push("a", "phx_leave", "{}")
			c.Event("a", "phx_close")
			for _, where := range []string{"Join, by the endpoint", "Go", "On", "OnInfo", "Intercept", "Terminate", "AfterEnd", "Join"} {
				eventually(t, where, func() bool { _, ok := o.get(where); return ok })
				err, _ := o.get(where)
				want := away
				switch where {
				case "Join":
					want = bennu.ErrNotJoined
				case "Intercept", "OnInfo": // the store may be back
					if err == nil {
						want = nil
					}
				}
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", where, err, want)
				}
			}
			if o.most > 5*time.Second {
				t.Errorf("a publish has taken %v", o.most)
			}
			store.setFail(nil)
		})
	}
}

// TestPublishWhileDraining shuts down while handlers publish: what is under way is published, and replies
// come before the end.
func TestPublishWhileDraining(t *testing.T) {
	gate, entered := make(chan struct{}), make(chan struct{}, 1)
	d := bennu.Define(joinRoom)
	bennu.On(d, "say", func(r *room, ctx context.Context, _ bennu.Empty) (bennu.Empty, error) {
		entered <- struct{}{}
		<-gate
		_, err := r.Publish(ctx, "said", nil)
		return bennu.Empty{}, err
	})
	s := serveKept(t, one("*", d), nil)
	c := wstest.Dial(t, s.url)
	joinSince(c, "a", since(""))
	ref := c.Push("a", "say", "{}")
	<-entered
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		done <- s.Shutdown(ctx)
	}()
	eventually(t, "the drain", func() bool { return len(s.server.log.about("draining connections")) > 0 })
	close(gate)
	if m := c.Await("the broadcast", func(m wstest.Message) bool { return m.Event == "said" }); !position.MatchString(m.Ref) {
		t.Errorf("got %v", m)
	}
	if m := c.ReplyTo(ref); m.Status != "ok" {
		t.Errorf("got %v", m)
	}
	if code, _ := c.DrainToClose(); code != 1012 {
		t.Errorf("closed with %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Broadcast("a", "said", nil); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
}

// TestInterceptCrash has a handler that always panics at one message: the client meets it again after each
// join, the log names it, and if the handler returns an error instead the client passes over it.
func TestInterceptCrash(t *testing.T) {
	var mu sync.Mutex
	mended := false
	d := bennu.Define(joinRoom)
	bennu.Intercept(d, "said", func(_ *room, ctx context.Context, in struct{ N int }) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case in.N == 2 && !mended:
			panic("poison")
		case in.N == 2:
			return errors.New("poison")
		}
		return bennu.Forward(ctx, in)
	})
	s := serveKept(t, one("*", d), nil)
	start := s.say(t, "a", "said", number(1))
	poison := s.say(t, "a", "said", number(2))
	last := s.say(t, "a", "said", number(3))
	c := wstest.Dial(t, s.url)
	for range 3 {
		joinRef := c.Push("a", "phx_join", since(start))
		c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, `"`+start+`"`, "a", "bennu:resume", `{"status":"recovered"}`), wstest.Crashed(joinRef, "a"))
	}
	wantLine := func(message string) {
		t.Helper()
		lines := s.server.log.about(message)
		if len(lines) == 0 || !containsAll(lines[0], "topic=a", "callback=intercept", "event=said", "offset="+poison) {
			t.Errorf("%s: %q", message, lines)
		}
	}
	wantLine("channel crashed")
	mu.Lock()
	mended = true
	mu.Unlock()
	joinRef := c.Push("a", "phx_join", since(start))
	c.Expect(wstest.OK(joinRef, joinRef, "a"), wstest.V2(joinRef, `"`+start+`"`, "a", "bennu:resume", `{"status":"recovered"}`),
		kept(last, "a", "said", `{"N":3}`), wstest.V2(joinRef, `"`+last+`"`, "a", "bennu:resume", `{"status":"live","count":1}`))
	wantLine("channel callback failed")
}

// containsAll reports whether a text has all parts.
func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
