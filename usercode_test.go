package bennu_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
)

// User code is not only callbacks: errors have an Error method and values a
// MarshalJSON, and these panic too.

// hollow is an error whose methods panic on nil, as those of most pointer types do.
type hollow struct{ text string }

func (h *hollow) Error() string { return h.text }

// bomb is a value that cannot be encoded.
type bomb struct{}

func (bomb) MarshalJSON() ([]byte, error) { panic("MarshalJSON panics") }

// exit is a value that ends the goroutine which encodes it.
type exit struct{}

func (exit) MarshalJSON() ([]byte, error) { runtime.Goexit(); return nil, nil }

type what struct {
	What string `json:"what"`
}

// outcomes are what a callback may return that is not what it seems.
func outcome(name string) (any, error) {
	switch name {
	case "nil pointer as error":
		var h *hollow
		return nil, h
	case "nil *Error":
		var e *bennu.Error
		return nil, e
	case "error whose text panics":
		return nil, errors.Join(bennu.Crash, (*hollow)(nil))
	case "bomb":
		return bomb{}, nil
	case "exit":
		return exit{}, nil
	case "error with bomb":
		return nil, &bennu.Error{Response: bomb{}}
	case "unencodable":
		return func() {}, nil
	}
	return nil, nil
}

var outcomes = []string{
	"nil pointer as error", "nil *Error", "error whose text panics", "bomb", "exit", "error with bomb", "unencodable",
}

// TestPanicBesideCallback lets the errors and values that callbacks return panic
// in turn: it must be as if the callback itself had.
func TestPanicBesideCallback(t *testing.T) {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in what) (*room, any, error) {
		out, err := outcome(in.What)
		return &room{ch}, out, err
	})
	bennu.On(d, "echo", echo)
	bennu.On(d, "in", func(_ *room, _ context.Context, in what) (any, error) { return outcome(in.What) })
	bennu.On(d, "go", func(r *room, _ context.Context, in what) (bennu.NoReply, error) {
		r.Go(func(context.Context) error {
			_, err := outcome(in.What)
			return err
		})
		return bennu.NoReply{}, nil
	})
	s := serve(t, one("*", d), nil, nil)

	for _, name := range outcomes {
		payload := `{"what":"` + name + `"}`
		t.Run("join/"+name, func(t *testing.T) {
			c := wstest.Dial(t, s.url)
			joinRef := c.Push("b", "phx_join", payload)
			want := wstest.Refused(joinRef, joinRef, "b", "join crashed")
			switch name {
			case "nil pointer as error", "error whose text panics":
				want = wstest.Refused(joinRef, joinRef, "b", "internal")
			case "nil *Error":
				want = wstest.OK(joinRef, joinRef, "b")
			}
			c.Expect(want)
			if name == "nil *Error" {
				return
			}
			c.Join("b")
			c.Want("b", "echo", `{}`, "ok", `{}`)
		})
		t.Run("handler/"+name, func(t *testing.T) {
			c := wstest.Dial(t, s.url)
			sibling, joinRef := c.Join("a"), c.Join("b")
			ref := c.Push("b", "in", payload)
			switch name {
			case "nil pointer as error":
				c.Expect(wstest.Refused(joinRef, ref, "b", "internal"))
			case "nil *Error": // which is nil
				c.Expect(wstest.OK(joinRef, ref, "b"))
			case "error whose text panics": // Crash sends the reply first
				c.Expect(wstest.OK(joinRef, ref, "b"), wstest.Crashed(joinRef, "b"))
			default:
				c.Expect(wstest.Crashed(joinRef, "b"))
			}
			ref = c.Push("a", "echo", `{"a":1}`)
			c.Expect(wstest.Reply(sibling, ref, "a", "ok", `{"a":1}`))
		})
	}
	for _, name := range outcomes[:3] {
		t.Run("go/"+name, func(t *testing.T) {
			c := wstest.Dial(t, s.url)
			c.Join("b")
			c.Push("b", "go", `{"what":"`+name+`"}`)
			if name == "error whose text panics" {
				c.Expect(wstest.Crashed(c.JoinRef("b"), "b"))
			} else {
				c.Want("b", "echo", `{}`, "ok", `{}`)
			}
		})
	}
}
