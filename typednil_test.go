package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
)

// typedNils are errors that hold nil pointers, and what they count as.
func typedNils() map[string]struct {
	err  error
	told string // the reason for the client, "" for success
} {
	var (
		e *bennu.Error
		d *bennu.Disconnect
		p *bennu.PanicError
		h *hollow
	)
	type outcome = struct {
		err  error
		told string
	}
	return map[string]outcome{
		"Error":              {e, ""},
		"Disconnect":         {d, ""},
		"PanicError":         {p, ""},
		"joined":             {errors.Join(e, d, p), ""},
		"joined twice":       {errors.Join(errors.Join(e), d), ""},
		"with a text":        {fmt.Errorf("check: %w", e), "internal"},
		"with two":           {fmt.Errorf("%w, %w", e, p), "internal"},
		"beside an Error":    {errors.Join(e, bennu.Errorf("real")), "real"},
		"wrapped beside":     {errors.Join(fmt.Errorf("%w", e), fmt.Errorf("%w", bennu.Errorf("real"))), "real"},
		"beside another":     {errors.Join(p, errors.New("x")), "internal"},
		"of another package": {h, "internal"},
	}
}

func TestTypedNils(t *testing.T) {
	nils := typedNils()
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in what) (*room, bennu.Empty, error) {
		return &room{ch}, bennu.Empty{}, nils[in.What].err
	})
	bennu.On(d, "in", func(_ *room, _ context.Context, in what) (bennu.Empty, error) {
		return bennu.Empty{}, nils[in.What].err
	})
	bennu.On(d, "send", func(r *room, _ context.Context, in what) (bennu.Empty, error) { return bennu.Empty{}, r.Send(in) })
	bennu.OnInfo(d, func(_ *room, _ context.Context, in what) error { return nils[in.What].err })
	bennu.Intercept(d, "out", func(_ *room, _ context.Context, in what) error { return nils[in.What].err })
	bennu.On(d, "go", func(r *room, _ context.Context, in what) (bennu.Empty, error) {
		r.Go(func(context.Context) error { return nils[in.What].err })
		return bennu.Empty{}, nil
	})
	users := one("*", d)
	users.Connect = func(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
		name, _ := info.Params.String("error")
		return nils[name].err
	}
	users.Renew = func(_ context.Context, _ *bennu.Socket, name string) (time.Time, error) {
		return time.Time{}, nils[name].err
	}
	s := serve(t, users, nil, nil)
	for name, tc := range nils {
		t.Run(name, func(t *testing.T) {
			payload := fmt.Sprintf(`{"what":%q}`, name)
			status, response := "ok", "{}"
			if tc.told != "" {
				status, response = "error", fmt.Sprintf(`{"reason":%q}`, tc.told)
			}
			if c, answer := wstest.Open(t, s.url+"&error="+strings.ReplaceAll(name, " ", "+")); (tc.told == "") != (c != nil) {
				t.Errorf("Connect: %s", answer.Status)
			}
			c := wstest.Dial(t, s.url)
			ref := c.Push("b", "phx_join", payload)
			c.Expect(wstest.Reply(ref, ref, "b", status, response))
			c.Join("a")
			c.Want("a", "in", payload, status, response)
			c.Want("a", "send", payload, "ok", "{}")
			if err := s.Broadcast("a", "out", what{name}); err != nil {
				t.Error(err)
			}
			c.Want("a", "go", payload, "ok", "{}")
			c.Want("a", "access_token", fmt.Sprintf(`{"access_token":%q}`, name), status, response)
		})
	}
	if strings.Contains(s.log.all(), "panicked") {
		t.Errorf("something panicked: %s", s.log.all())
	}
}

// TestDisconnectForms returns a Disconnect as a value, a pointer, and behind a nil pointer.
func TestDisconnectForms(t *testing.T) {
	forms := map[string]error{
		"value":   bennu.Disconnect{Code: 4007},
		"pointer": &bennu.Disconnect{Code: 4007},
		"wrapped": fmt.Errorf("out: %w", &bennu.Disconnect{Code: 4007}),
		"behind":  errors.Join((*bennu.Disconnect)(nil), &bennu.Disconnect{Code: 4007}),
	}
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in what) (*room, bennu.Empty, error) {
		return &room{ch}, bennu.Empty{}, forms[in.What]
	})
	bennu.On(d, "in", func(_ *room, _ context.Context, in what) (bennu.Empty, error) { return bennu.Empty{}, forms[in.What] })
	bennu.On(d, "send", func(r *room, _ context.Context, in what) (bennu.NoReply, error) { return bennu.NoReply{}, r.Send(in) })
	bennu.OnInfo(d, func(_ *room, _ context.Context, in what) error { return forms[in.What] })
	bennu.Intercept(d, "out", func(_ *room, _ context.Context, in what) error { return forms[in.What] })
	bennu.On(d, "cast", func(r *room, _ context.Context, in what) (bennu.NoReply, error) {
		return bennu.NoReply{}, r.Broadcast("out", in)
	})
	bennu.On(d, "go", func(r *room, _ context.Context, in what) (bennu.NoReply, error) {
		r.Go(func(context.Context) error { return forms[in.What] })
		return bennu.NoReply{}, nil
	})
	users := one("*", d)
	users.Renew = func(_ context.Context, _ *bennu.Socket, name string) (time.Time, error) {
		return time.Time{}, forms[name]
	}
	s := serve(t, users, nil, nil)
	for name := range forms {
		for _, event := range []string{"phx_join", "in", "send", "cast", "go", "access_token"} {
			t.Run(event+"/"+name, func(t *testing.T) {
				c := wstest.Dial(t, s.url)
				if event != "phx_join" {
					c.Join("a")
				}
				c.Push("a", event, fmt.Sprintf(`{"what":%q,"access_token":%q}`, name, name))
				c.ExpectClose(4007)
			})
		}
	}
}

// checked is an In whose Validate returns one of the typed nils.
type checked struct{ what }

func (c checked) Validate() error { return typedNils()[c.What].err }

func TestTypedNilOfValidate(t *testing.T) {
	d := bennu.Define(joinRoom)
	typed(d, "check", func(checked) (bennu.Empty, error) { return bennu.Empty{}, nil })
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	for name, tc := range typedNils() {
		payload := fmt.Sprintf(`{"what":%q}`, name)
		switch tc.told {
		case "":
			c.Want("a", "check", payload, "ok", "{}")
		case "internal":
			c.Want("a", "check", payload, "error", `{"reason":"invalid payload"}`)
		default:
			c.Want("a", "check", payload, "error", fmt.Sprintf(`{"reason":%q}`, tc.told))
		}
	}
}

// TestNilState returns no state from a join that succeeds, and a state without its Channel.
func TestNilState(t *testing.T) {
	var users bennu.SocketHandler
	users.Channel("room", bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (*room, bennu.Empty, error) {
		return nil, bennu.Empty{}, nil
	}))
	users.Channel("channel", bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return nil, bennu.Empty{}, nil
	}))
	users.Channel("instance", joinFunc(func(context.Context, *bennu.Channel, bennu.Payload) (bennu.Instance, bennu.Reply, error) {
		return (*typedNilInstance)(nil), bennu.Reply{}, nil
	}))
	users.Channel("none needed", bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (*what, bennu.Empty, error) {
		return nil, bennu.Empty{}, nil
	}))
	without := bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (*room, bennu.Empty, error) {
		return &room{}, bennu.Empty{}, nil
	})
	bennu.On(without, "use", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		for _, err := range []error{r.Push("e", nil), r.Broadcast("e", nil), r.BroadcastFrom("e", nil), r.Send(1), r.Subscribe("t"), new(bennu.Channel).Push("e", nil)} {
			if err == nil || !strings.Contains(err.Error(), "the *Channel is nil") {
				return bennu.Empty{}, fmt.Errorf("error %w", err)
			}
		}
		var ref *bennu.Ref
		if err := ref.Reply(nil); !errors.Is(err, bennu.ErrNoRef) {
			return bennu.Empty{}, err
		}
		return bennu.Empty{}, nil
	})
	users.Channel("without", without)
	s := serve(t, &users, nil, nil)
	c := wstest.Dial(t, s.url)
	for _, topic := range []string{"room", "channel", "instance"} {
		ref := c.Push(topic, "phx_join", "{}")
		c.Expect(wstest.Refused(ref, ref, topic, "internal"))
	}
	c.Join("none needed")
	c.Join("without")
	c.Want("without", "use", "{}", "ok", "{}")
	lines := strings.Join(s.log.about("handler failed"), "\n")
	for _, want := range []string{"typednil_test.go:", "join returned a nil *bennu_test.room", "join returned a nil *bennu.Channel", "Join returned neither an Instance nor an error"} {
		if !strings.Contains(lines, want) {
			t.Errorf("the log lacks %q: %s", want, lines)
		}
	}
}

type typedNilInstance struct{ bennu.Instance }

// TestNilFunctions gives a channel functions that are nil: it crashes, and the log says where.
func TestNilFunctions(t *testing.T) {
	d := rooms()
	bennu.On(d, "go", func(r *room, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		r.Go(nil)
		return bennu.NoReply{}, nil
	})
	bennu.On(d, "after", func(r *room, _ context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		r.AfterEnd(nil)
		return bennu.NoReply{}, nil
	})
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	for _, event := range []string{"go", "after"} {
		ref := c.Join("a")
		c.Push("a", event, "{}")
		c.Expect(wstest.Crashed(ref, "a"))
	}
	if lines := strings.Join(s.log.about("channel crashed"), "\n"); strings.Count(lines, "typednil_test.go:") != 2 {
		t.Errorf("the log has %s", lines)
	}
}

// TestTypedNilOfVerify lets in whom verify lets in with a typed nil.
func TestTypedNilOfVerify(t *testing.T) {
	users := one("*", rooms())
	users.Connect = bennu.Authenticate(func(_ context.Context, token string) (string, time.Time, error) {
		var e *bennu.Error
		if token != "good" {
			e = bennu.Errorf("bad")
		}
		return token, time.Time{}, e
	})
	s := serve(t, users, &bennu.SocketOptions{Checks: transport.Checks{AuthToken: true}}, nil)
	for token, status := range map[string]int{"good": 101, "bad": 403} {
		if _, answer := wstest.Open(t, s.url, offer(token)); answer.StatusCode != status {
			t.Errorf("%s: %s, want %d", token, answer.Status, status)
		}
	}
}

// TestTypedNilAtShutdown closes something without an error.
func TestTypedNilAtShutdown(t *testing.T) {
	e := quiet()
	e.OnShutdown(func(context.Context) error { var none *bennu.Error; return none })
	if err := e.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
