package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// record is a middleware that writes down each call once it has ended.
type record struct {
	mu    sync.Mutex
	lines []string
	calls []bennu.Call
}

func (r *record) around(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, strings.TrimSpace(fmt.Sprintf("%s %s", call.Kind, call.Event))+" "+call.Outcome())
		r.calls = append(r.calls, *call)
	}()
	return next(ctx)
}

func (r *record) taken() (lines []string, calls []bennu.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines, calls = r.lines, r.calls
	r.lines, r.calls = nil, nil
	return lines, calls
}

// wants waits for the lines of a record.
func (r *record) wants(t *testing.T, want ...string) []bennu.Call {
	t.Helper()
	var lines []string
	var calls []bennu.Call
	eventually(t, fmt.Sprintf("the calls are %q", want), func() bool {
		l, c := r.taken()
		lines, calls = append(lines, l...), append(calls, c...)
		if len(lines) > len(want) {
			t.Fatalf("got %q, want %q", lines, want)
		}
		return slices.Equal(lines, want)
	})
	return calls
}

// troubled is a channel whose handlers end in every way there is.
func troubled(ended chan error) *bennu.Definition[*parting] {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in what) (*parting, bennu.Empty, error) {
		if in.What == "panic" {
			panic("in join")
		}
		_, err := trouble(in.What)
		return &parting{ch, ended}, bennu.Empty{}, err
	})
	for _, event := range []string{"ok", "error", "invalid", "internal", "stop", "crash", "disconnect", "panic", "goexit", "status", "none"} {
		bennu.On(d, event, func(_ *parting, _ context.Context, in pair) (bennu.Reply, error) { return trouble(event) })
	}
	bennu.On(d, "ref", func(_ *parting, ctx context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.ReplyRef(ctx).Reply(nil)
	})
	bennu.On(d, "send", func(p *parting, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, p.Send(greeting{})
	})
	bennu.OnInfo(d, func(p *parting, _ context.Context, _ greeting) error { return p.Push("hello", nil) })
	bennu.Intercept(d, "out", func(p *parting, _ context.Context, in bennu.Raw) error { return p.Push("out", in) })
	return d
}

func trouble(name string) (bennu.Reply, error) {
	ok := bennu.Reply{Status: "ok"}
	switch name {
	case "error":
		return ok, fmt.Errorf("wrapped: %w", bennu.Errorf("no"))
	case "internal":
		return ok, errors.New("secret")
	case "stop":
		return ok, bennu.Stop
	case "crash":
		return ok, bennu.Crash
	case "disconnect":
		return ok, &bennu.Disconnect{}
	case "panic":
		panic("as asked")
	case "goexit":
		runtime.Goexit()
	case "status":
		return bennu.Reply{Status: "odd"}, nil
	case "none":
		return bennu.Reply{}, nil
	}
	return ok, nil
}

// TestAround sees every callback of a channel, with its outcome, and changes nothing.
func TestAround(t *testing.T) {
	ended := make(chan error, 10)
	outer, inner := &record{}, &record{}
	var users bennu.SocketHandler
	users.Channel("a*", troubled(ended), bennu.Around(outer.around), embed, bennu.Around(inner.around))
	s := serve(t, &users, nil, nil)
	for _, tc := range []struct {
		event, payload, outcome string
		ends                    bool
	}{
		{"ok", "{}", "ok", false},
		{"error", "{}", "error", false},
		{"invalid", `{"x":"one"}`, "invalid", false},
		{"internal", "{}", "internal", false},
		{"status", "{}", "odd", false},
		{"none", "{}", "ok", false},
		{"ref", "{}", "ok", false},
		{"stop", "{}", "stop", true},
		{"crash", "{}", "crash", true},
		{"disconnect", "{}", "disconnect", true},
		{"panic", "{}", "panic", true},
		{"goexit", "{}", "panic", true},
		{"what", "{}", "unknown", true},
	} {
		t.Run(tc.event, func(t *testing.T) {
			c := wstest.Dial(t, s.url)
			c.Join("a")
			ref := c.Push("a", tc.event, tc.payload)
			if !tc.ends && tc.event != "none" {
				c.ReplyTo(ref)
			}
			want := []string{"join ok", "handle_in " + tc.event + " " + tc.outcome, "terminate ok"}
			if !tc.ends {
				c.Push("a", "phx_leave", "{}")
			}
			for _, r := range []*record{outer, inner} {
				calls := r.wants(t, want...)
				if calls[2].Reason == nil || calls[1].Channel.Topic() != "a" || string(calls[1].Payload.Data) != tc.payload {
					t.Errorf("the calls are %+v", calls)
				}
				if p, ok := calls[1].Err.(*bennu.PanicError); ok && tc.event == "panic" && (p.Value != "as asked" || !strings.Contains(string(p.Stack), "trouble")) {
					t.Errorf("the panic is %v\n%s", p.Value, p.Stack)
				}
			}
			reason := waittest.Next(t, "Terminate", ended)
			if p, ok := errors.AsType[*bennu.PanicError](reason); (tc.outcome == "panic") != ok || tc.event == "panic" && (p.Value != "as asked" || !strings.Contains(string(p.Stack), "trouble")) {
				t.Errorf("it ended with %v", reason)
			}
		})
	}
	for what, outcome := range map[string]string{"error": "error", "internal": "internal", "stop": "internal", "disconnect": "disconnect", "panic": "panic"} {
		t.Run("join "+what, func(t *testing.T) {
			c := wstest.Dial(t, s.url)
			c.Push("a", "phx_join", fmt.Sprintf(`{"what":%q}`, what))
			outer.wants(t, "join "+outcome)
			inner.wants(t, "join "+outcome)
		})
	}
	t.Run("out and info", func(t *testing.T) {
		c := wstest.Dial(t, s.url)
		c.Join("a")
		if err := s.Broadcast("a", "out", pair{7}); err != nil {
			t.Error(err)
		}
		if m := c.Event("a", "out"); string(m.Payload) != `{"x":7}` {
			t.Errorf("pushed %s", m.Payload)
		}
		c.Want("a", "send", "{}", "ok", "{}")
		c.Event("a", "hello")
		c.Push("a", "phx_leave", "{}")
		calls := outer.wants(t, "join ok", "handle_out out ok", "handle_in send ok", "handle_info ok", "terminate ok")
		if _, ok := calls[3].Message.(greeting); !ok {
			t.Errorf("the message is %v", calls[3].Message)
		}
	})
}

// around is a channel with one Around of f, and the ends of its states.
func aroundOnly(t *testing.T, f func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error) (*server, *wstest.Client, chan error) {
	t.Helper()
	ended := make(chan error, 10)
	var users bennu.SocketHandler
	users.Channel("*", troubled(ended), bennu.Around(f))
	s := serve(t, &users, nil, nil)
	return s, wstest.Dial(t, s.url), ended
}

// TestAroundJoin refuses joins, in ways that must not lose the end of what had joined.
func TestAroundJoin(t *testing.T) {
	s, c, ended := aroundOnly(t, func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
		if call.Kind != bennu.CallJoin {
			return next(ctx)
		}
		switch call.Channel.Topic() {
		case "before":
			return bennu.Errorf("before")
		case "after":
			return errors.Join(next(ctx), bennu.Errorf("after"))
		case "panic":
			_ = next(ctx)
			panic("in the middleware")
		case "goexit":
			_ = next(ctx)
			runtime.Goexit()
		case "nothing":
			return nil
		case "swallow":
			_ = next(ctx)
			return nil
		case "nil":
			return next(nil) //nolint:staticcheck // which must do no harm
		case "reply":
			defer func() { call.Reply.Response = pair{5} }()
		}
		return next(ctx)
	})
	for _, tc := range []struct {
		topic, payload, reason string
		terminates             bool
	}{
		{"before", "{}", "before", false},
		{"after", "{}", "after", true},
		{"panic", "{}", "join crashed", true},
		{"goexit", "{}", "join crashed", true},
		{"nothing", "{}", "internal", false},
		{"swallow", `{"what":"error"}`, "internal", false},
	} {
		ref := c.Push(tc.topic, "phx_join", tc.payload)
		c.Expect(wstest.Refused(ref, ref, tc.topic, tc.reason))
		if tc.terminates {
			if err := waittest.Next(t, "the Terminate of "+tc.topic, ended); err == nil {
				t.Errorf("%s ended without a reason", tc.topic)
			}
		}
	}
	if len(ended) != 0 {
		t.Errorf("%d calls of Terminate too many", len(ended))
	}
	if lines := s.log.about("handler failed"); len(lines) != 2 || !strings.Contains(lines[0], "the function of Around returned nil for a join") {
		t.Errorf("the log has %q", lines)
	}
	c.Join("nil")
	ref := c.Push("reply", "phx_join", "{}")
	c.Expect(wstest.Reply(ref, ref, "reply", "ok", `{"x":5}`))
}

// TestAroundNext calls next in ways that are mistakes.
func TestAroundNext(t *testing.T) {
	late := make(chan func(context.Context) error, 1)
	_, c, ended := aroundOnly(t, func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
		switch {
		case call.Event == "ok":
			return errors.Join(next(ctx), next(ctx))
		case call.Event == "status":
			late <- next
			return bennu.Errorf("later")
		case call.Event == "error":
			_ = next(ctx)
			call.Reply = bennu.Reply{Status: "ok", Response: pair{3}}
			return nil
		case call.Event == "invalid":
			call.Payload = bennu.Payload{Data: []byte(`{"x":1}`)}
		case call.Event == "none":
			panic("before next")
		case call.Kind == bennu.CallTerminate && call.Channel.Topic() == "never":
			return nil
		case call.Kind == bennu.CallTerminate && call.Channel.Topic() == "panics":
			panic("at the end")
		case call.Kind == bennu.CallTerminate && call.Channel.Topic() == "fails":
			if ctx.Err() != nil {
				t.Error("the context of the end has ended")
			}
			return errors.Join(next(ctx), errors.New("at the end"))
		}
		return next(ctx)
	})
	c.Join("a")
	c.Want("a", "ok", "{}", "error", `{"reason":"internal"}`)
	c.Want("a", "status", "{}", "error", `{"reason":"later"}`)
	if err := (<-late)(t.Context()); err == nil || !strings.Contains(err.Error(), "after the function of Around had returned") {
		t.Errorf("a late next: %v", err)
	}
	c.Want("a", "error", "{}", "ok", `{"x":3}`)
	c.Want("a", "invalid", `{"x":"one"}`, "ok", "{}")
	ref := c.JoinRef("a")
	c.Push("a", "none", "{}")
	c.Expect(wstest.Crashed(ref, "a"))
	<-ended
	for _, topic := range []string{"never", "panics", "fails"} {
		ref := c.Join(topic)
		leave := c.Push(topic, "phx_leave", "{}")
		c.Expect(wstest.OK(ref, leave, topic), wstest.Closed(ref, topic))
		if err := waittest.Next(t, "the Terminate of "+topic, ended); !errors.Is(err, bennu.ErrLeft) {
			t.Errorf("%s ended with %v", topic, err)
		}
	}
	c.Fence()
	if len(ended) != 0 {
		t.Errorf("%d calls of Terminate too many", len(ended))
	}
}

// BenchmarkMiddleware is one event without middleware, and behind an Around.
func BenchmarkMiddleware(b *testing.B) {
	for name, middleware := range map[string][]bennu.Middleware{
		"none":   nil,
		"around": {bennu.Around(func(ctx context.Context, _ *bennu.Call, next func(context.Context) error) error { return next(ctx) })},
	} {
		b.Run(name, func(b *testing.B) {
			var h bennu.ChannelHandler = rooms()
			for _, m := range middleware {
				h = m(h)
			}
			i, _, err := h.Join(b.Context(), new(bennu.Channel), bennu.Payload{Data: []byte("{}")})
			if err != nil {
				b.Fatal(err)
			}
			p := bennu.Payload{Data: []byte(hundred)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := i.HandleIn(b.Context(), "echo", p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
