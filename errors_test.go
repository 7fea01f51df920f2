package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
)

// TestErrors returns every kind of error from a handler whose reply would be
// {"n":1}.
func TestErrors(t *testing.T) {
	type reply struct {
		N int `json:"n"`
	}
	const ok, internal = `{"n":1}`, `{"reason":"internal"}`
	for _, tc := range []struct {
		name             string
		err              error
		status, response string // no status is no reply
		end              string // event, or empty
		code             int
	}{
		{"none", nil, "ok", ok, "", 0},
		{"Error", &bennu.Error{Reason: "taken"}, "error", `{"reason":"taken"}`, "", 0},
		{"Errorf", bennu.Errorf("%d left", 0), "error", `{"reason":"0 left"}`, "", 0},
		{"Error with response", &bennu.Error{Reason: "unused", Response: []int{1}}, "error", `[1]`, "", 0},
		{"Error wrapped", fmt.Errorf("secret: %w", bennu.Errorf("told")), "error", `{"reason":"told"}`, "", 0},
		{"Error joined", errors.Join(errors.New("secret"), bennu.Errorf("told")), "error", `{"reason":"told"}`, "", 0},
		{"unknown", errors.New("secret"), "error", internal, "", 0},
		{"closed", bennu.ErrClosed, "error", internal, "", 0},
		{"context", context.Canceled, "error", internal, "", 0},
		{"Stop", bennu.Stop, "ok", ok, "phx_close", 0},
		{"Stop wrapped", fmt.Errorf("game over: %w", bennu.Stop), "ok", ok, "phx_close", 0},
		{"Crash", bennu.Crash, "ok", ok, "phx_error", 0},
		{"Crash wrapped", fmt.Errorf("lost it: %w", bennu.Crash), "ok", ok, "phx_error", 0},
		{"ErrUnknownEvent", fmt.Errorf("what: %w", bennu.ErrUnknownEvent), "", "", "phx_error", 0},
		{"Disconnect", bennu.Disconnect{}, "", "", "", 1001},
		{"Disconnect with code", bennu.Disconnect{Code: 4321}, "", "", "", 4321},
		{"Disconnect wrapped", fmt.Errorf("banned: %w", bennu.Disconnect{Code: 4000}), "", "", "", 4000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ends := make(chan error, 1)
			d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*ending, bennu.Empty, error) {
				return &ending{ch, ends}, bennu.Empty{}, nil
			})
			bennu.On(d, "e", func(*ending, context.Context, bennu.Empty) (reply, error) { return reply{1}, tc.err })
			bennu.On(d, "echo", func(*ending, context.Context, bennu.Empty) (bennu.Empty, error) { return bennu.Empty{}, nil })
			bennu.OnInfo(d, func(*ending, context.Context, int) error { return tc.err })
			bennu.On(d, "info", func(r *ending, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) {
				return bennu.NoReply{}, r.Send(1)
			})
			bennu.Intercept(d, "out", func(*ending, context.Context, bennu.Empty) error { return tc.err })
			bennu.On(d, "go", func(r *ending, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) {
				r.Go(func(context.Context) error { return tc.err })
				return bennu.NoReply{}, nil
			})
			s := serve(t, one("*", d), nil, nil)

			for _, by := range []string{"e", "info", "out", "go"} {
				c := wstest.Dial(t, s.url)
				joinRef := c.Join("a")
				if by == "out" {
					if err := s.Broadcast("a", "out", nil); err != nil {
						t.Error(err)
					}
				} else {
					ref := c.Push("a", by, "{}")
					if by == "e" && tc.status != "" {
						c.Expect(wstest.Reply(joinRef, ref, "a", tc.status, tc.response))
					}
				}
				switch {
				case tc.code != 0:
					c.ExpectClose(tc.code)
				case tc.end != "":
					if m := c.Message(); m.Event != tc.end || m.Ref != joinRef || m.JoinRef != joinRef {
						t.Fatalf("%s: got %v, want %s", by, m, tc.end)
					}
				default:
					c.Want("a", "echo", "{}", "ok", "{}")
					c.Want("a", "phx_leave", "{}", "ok", "{}")
				}
				reason := waittest.Next(t, by+": Terminate", ends)
				switch {
				case tc.code != 0 || tc.end != "":
					if !errors.Is(reason, tc.err) {
						t.Errorf("%s: Terminate was told %v", by, reason)
					}
				case reason != bennu.ErrLeft:
					t.Errorf("%s: Terminate was told %v", by, reason)
				}
			}
		})
	}
}

type ending struct {
	*bennu.Channel
	ends chan error
}

func (h *ending) Terminate(reason error) { h.ends <- reason }

// TestDisconnectStopsHandling throws a client out: what it had sent already is
// not handled.
func TestDisconnectStopsHandling(t *testing.T) {
	var handled atomic.Int64
	d := bennu.Define(joinRoom)
	bennu.On(d, "pay", func(*room, context.Context, bennu.Empty) (bennu.Empty, error) {
		handled.Add(1)
		return bennu.Empty{}, bennu.Disconnect{Code: 4003}
	})
	s := serve(t, one("*", d), nil, nil)
	for range 20 {
		c := wstest.Dial(t, s.url)
		c.Join("a")
		var frames []wstest.Frame
		for range 100 {
			f, _ := c.Frame("a", "pay", "{}")
			frames = append(frames, f)
		}
		c.Send(frames...)
		if code, _ := c.DrainToClose(); code != 4003 {
			t.Fatalf("closed with %d", code)
		}
	}
	eventually(t, "all sockets are gone", func() bool { return s.Stats().Sockets == 0 && s.Stats().Callbacks == 0 })
	if n := handled.Load(); n != 20 {
		t.Errorf("%d messages handled on 20 connections", n)
	}
}

// TestTerminateReasons ends connections in other ways than the client's leave.
func TestTerminateReasons(t *testing.T) {
	ends := make(chan error, 10)
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*ending, bennu.Empty, error) {
		return &ending{ch, ends}, bennu.Empty{}, nil
	})
	bennu.On(d, "panic", func(*ending, context.Context, bennu.Empty) (bennu.Empty, error) { panic(bennu.ErrNoRef) })
	bennu.On(d, "leave", func(h *ending, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		h.Leave()
		return bennu.Empty{}, nil
	})
	users := one("*", d)
	users.ID = func(*bennu.Socket) string { return "id" }
	s := serve(t, users, nil, nil)
	closedWith := func(code transport.CloseCode) func(error) bool {
		return func(err error) bool {
			var closed *transport.ClosedError
			return errors.As(err, &closed) && closed.Code == code
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for name, tc := range map[string]struct {
		do   func(c *wstest.Client)
		want func(error) bool
	}{
		"cut":           {func(c *wstest.Client) { c.Abort() }, is(transport.ErrLost)},
		"closed":        {func(c *wstest.Client) { c.Send(wstest.CloseFrame(1000)) }, is(transport.ErrClientClosed)},
		"disconnected":  {func(*wstest.Client) { s.Disconnect("id") }, is(bennu.ErrDisconnected)},
		"not WebSocket": {func(c *wstest.Client) { c.Send(wstest.Frame{Op: 5}) }, closedWith(1002)},
		"not JSON":      {func(c *wstest.Client) { c.Send(wstest.Text("x")) }, func(err error) bool { return err != nil }},
		"panic": {func(c *wstest.Client) { c.Push("a", "panic", "{}") }, func(err error) bool {
			var p *bennu.PanicError
			return errors.As(err, &p) && errors.Is(err, bennu.ErrNoRef) && len(p.Stack) > 0
		}},
		"Leave": {func(c *wstest.Client) { c.Push("a", "leave", "{}") }, is(bennu.Stop)},
	} {
		c := wstest.Dial(t, s.url)
		c.Join("a")
		tc.do(c)
		if err := waittest.Next(t, name, ends); !tc.want(err) {
			t.Errorf("%s: Terminate was told %v", name, err)
		}
	}
}
