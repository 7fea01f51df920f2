package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
)

// spiteful is an error all of whose methods do the same bad thing.
type spiteful struct{ do func() }

func (s spiteful) Error() string        { s.do(); return "spiteful" }
func (s spiteful) String() string       { s.do(); return "spiteful" }
func (s spiteful) LogValue() slog.Value { s.do(); return slog.Value{} }
func (s spiteful) Unwrap() error        { s.do(); return nil }
func (s spiteful) Is(error) bool        { s.do(); return false }

// values are what a program may panic with that no log can print.
func values() map[string]any {
	self := map[string]any{}
	self["self"] = self
	list := make([]any, 1)
	list[0] = list
	return map[string]any{
		"map in itself": self, "slice in itself": list, "huge": strings.Repeat("x", 64<<20),
		"methods that panic": spiteful{func() { panic("again") }}, "methods that panic with a map in itself": spiteful{func() { panic(self) }},
		"methods that exit": spiteful{runtime.Goexit}, "a pointer": &spiteful{func() { panic(self) }},
		"error with one in it": fmt.Errorf("a: %w", errors.Join(bennu.Crash, noisy{self})), "Goexit": nil,
	}
}

// noisy is an error whose text is that of a value.
type noisy struct{ v map[string]any }

func (noisy) Error() string { return "noisy" }

// blow panics with a value, or exits for nil.
func blow(v any) {
	if v == nil {
		runtime.Goexit()
	}
	panic(v)
}

// TestPanicValues panics in every callback of a connection with values that cannot be printed:
// the process, and the other channels, go on.
func TestPanicValues(t *testing.T) {
	for name, v := range values() {
		t.Run(name, func(t *testing.T) {
			d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in what) (*blower, bennu.Empty, error) {
				if in.What == "join" {
					blow(v)
				}
				return &blower{ch, in.What, v}, bennu.Empty{}, nil
			})
			bennu.On(d, "do", func(b *blower, _ context.Context, in what) (any, error) {
				switch in.What {
				case "task":
					b.Go(func(context.Context) error { blow(v); return nil })
				case "after":
					b.AfterEnd(func() { blow(v) })
					return nil, bennu.Stop
				case "return":
					err, _ := v.(error)
					return nil, err
				case "end":
					return nil, bennu.Stop
				default:
					blow(v)
				}
				return nil, nil
			})
			users := one("room:*", d)
			s := serve(t, users, nil, nil)
			defer s.Subscribe("news", func(context.Context, bennu.Broadcast) { blow(v) }).Cancel()
			c := wstest.Dial(t, s.url)
			sibling := wstest.Dial(t, s.url)
			other := sibling.Push("room:b", "phx_join", `{"what":""}`)
			sibling.ReplyTo(other)
			c.ReplyTo(c.Push("room:a", "phx_join", `{"what":"join"}`))
			for _, how := range []string{"handler", "task", "after", "return", "end"} {
				c.ReplyTo(c.Push("room:a", "phx_join", fmt.Sprintf(`{"what":%q}`, how)))
				c.Push("room:a", "do", fmt.Sprintf(`{"what":%q}`, how))
				c.ReplyTo(c.Push("phoenix", "heartbeat", "{}"))
			}
			if err := s.Broadcast("news", "x", nil); err != nil {
				t.Error(err)
			}
			sibling.Fence()
			for message := range map[string]bool{"channel crashed": true, "subscription panicked": true} {
				for _, line := range s.log.about(message) {
					if len(line) > 64<<10 {
						t.Errorf("a line of %d bytes: %.100s", len(line), line)
					}
				}
			}
		})
	}
}

// blower is a channel that panics at its end, when it is told to.
type blower struct {
	*bennu.Channel
	how string
	v   any
}

func (b *blower) Terminate(error) {
	if b.how == "end" {
		blow(b.v)
	}
}

// TestAfterEndPanics calls every function of AfterEnd, whatever another does.
func TestAfterEndPanics(t *testing.T) {
	for _, v := range []any{"panic", nil} {
		called := make(chan struct{}, 2)
		d := bennu.Define(joinRoom)
		bennu.On(d, "end", func(r *room, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) {
			r.AfterEnd(func() { called <- struct{}{} })
			r.AfterEnd(func() { blow(v) })
			r.AfterEnd(func() { called <- struct{}{} })
			return bennu.NoReply{}, bennu.Stop
		})
		s := serve(t, one("room:*", d), nil, nil)
		c := wstest.Dial(t, s.url)
		ref := c.Join("room:1")
		c.Push("room:1", "end", "{}")
		c.Expect(wstest.Closed(ref, "room:1"))
		eventually(t, "both are called", func() bool { return len(called) == 2 })
		c.Join("room:1")
	}
}

// TestLogHandlerExits writes to a log whose handler ends the goroutine that logs.
func TestLogHandlerExits(t *testing.T) {
	var lines atomic.Int64
	d := bennu.Define(joinRoom)
	bennu.On(d, "boom", func(*room, context.Context, bennu.Empty) (bennu.NoReply, error) { panic("boom") })
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(exiting{slog.DiscardHandler, &lines})})
	e.Socket("/socket", one("room:*", d), nil)
	over, cancel := context.WithCancel(t.Context())
	ln := listener(t)
	done := make(chan error, 1)
	go func() { done <- e.Serve(over, ln) }()
	c := wstest.Dial(t, "ws://"+ln.Addr().String()+"/socket/websocket?vsn=2.0.0")
	ref := c.Join("room:1")
	c.Push("room:1", "boom", "{}")
	c.Expect(wstest.Crashed(ref, "room:1"))
	c.Join("room:1")
	c.Abort()
	cancel()
	if err := <-done; err != nil || lines.Load() == 0 {
		t.Errorf("Serve: %v after %d lines", err, lines.Load())
	}
}

// exiting is a slog.Handler that calls runtime.Goexit for faults.
type exiting struct {
	slog.Handler
	lines *atomic.Int64
}

func (exiting) Enabled(context.Context, slog.Level) bool { return true }

func (e exiting) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		e.lines.Add(1)
		runtime.Goexit()
	}
	return nil
}

func (e exiting) WithAttrs([]slog.Attr) slog.Handler { return e }

// TestTerminateOnce counts the instances that Join returned, and their ends, for joins that fail
// after that.
func TestTerminateOnce(t *testing.T) {
	var joined, terminated atomic.Int64
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in what) (*counted, any, error) {
		joined.Add(1)
		var out any
		switch in.What {
		case "bomb":
			out = bomb{}
		case "exit":
			out = exit{}
		case "unencodable":
			out = func() {}
		}
		return &counted{ch, &terminated}, out, nil
	})
	around := bennu.Around(func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
		err := next(ctx)
		if call.Kind != bennu.CallJoin {
			return err
		}
		switch {
		case strings.Contains(string(call.Payload.Data), "around panics"):
			panic("around")
		case strings.Contains(string(call.Payload.Data), "around exits"):
			runtime.Goexit()
		case strings.Contains(string(call.Payload.Data), "around refuses"):
			return bennu.Errorf("no")
		case strings.Contains(string(call.Payload.Data), "around replies"):
			call.Reply.Response = bomb{}
		}
		return err
	})
	users := one("plain:*", d)
	users.Channel("around:*", d, around, around)
	s := serve(t, users, nil, nil)
	for _, how := range []string{"", "bomb", "exit", "unencodable", "around panics", "around exits", "around refuses", "around replies"} {
		for _, topic := range []string{"plain:1", "around:1"} {
			c, before := wstest.Dial(t, s.url), joined.Load()
			c.Push(topic, "phx_join", fmt.Sprintf(`{"what":%q}`, how))
			eventually(t, "Join has returned", func() bool { return joined.Load() > before })
			c.ReplyTo(c.Push("phoenix", "heartbeat", "{}"))
			c.Abort()
			eventually(t, "each has its Terminate after "+how, func() bool {
				return s.Stats().Sockets == 0 && s.Stats().Callbacks == 0 && joined.Load() == terminated.Load()
			})
		}
	}
	if n := joined.Load(); n != 16 {
		t.Errorf("%d joins", n)
	}
}

// counted is a channel that counts its end.
type counted struct {
	*bennu.Channel
	ends *atomic.Int64
}

func (c *counted) Terminate(error) { c.ends.Add(1) }

// TestNilChannel calls the methods that return no error on the Channel of a state that join made
// without it: the panic says what to do.
func TestNilChannel(t *testing.T) {
	for _, ch := range []*bennu.Channel{nil, {}} {
		for name, call := range map[string]func(){
			"Go":       func() { ch.Go(func(context.Context) error { return nil }) },
			"AfterEnd": func() { ch.AfterEnd(func() {}) },
			"Leave":    func() { ch.Leave() },
		} {
			func() {
				defer func() {
					if text := fmt.Sprint(recover()); !strings.Contains(text, "keep the one that join is given") {
						t.Errorf("%s: %s", name, text)
					}
				}()
				call()
			}()
		}
		for name, err := range map[string]error{
			"Push": ch.Push("x", nil), "Broadcast": ch.Broadcast("x", nil), "Send": ch.Send(1), "Subscribe": ch.Subscribe("x"),
		} {
			if err == nil {
				t.Errorf("%s returns nil", name)
			}
		}
	}
}
