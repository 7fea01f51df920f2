package bennu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
)

type (
	point struct {
		X int `json:"x"`
		Y int `json:"y"`
	}
	line struct {
		From point   `json:"from"`
		To   []point `json:"to"`
	}
	// positive checks itself as a value, named as a pointer.
	positive struct {
		N int `json:"n"`
	}
	named struct {
		Name string `json:"name"`
	}
)

// own decodes itself, and takes a number only.
type own struct{ n int }

func (o *own) UnmarshalJSON(text []byte) (err error) {
	o.n, err = strconv.Atoi(string(text))
	return err
}

func (p positive) Validate() error {
	if p.N < 0 {
		return errors.New("secret rule 17")
	}
	return nil
}

func (n *named) Validate() error {
	if n.Name == "" {
		return fmt.Errorf("wrapped: %w", bennu.Errorf("no name"))
	}
	return nil
}

// typed registers a handler that needs no state.
func typed[In, Out any](d *bennu.Definition[*room], event string, f func(In) (Out, error)) {
	bennu.On(d, event, func(_ *room, _ context.Context, in In) (Out, error) { return f(in) })
}

func same[T any](v T) (T, error) { return v, nil }

// TestPayloads sends JSON to handlers of every kind of In and Out.
func TestPayloads(t *testing.T) {
	d := bennu.Define(joinRoom)
	typed(d, "struct", func(in line) (point, error) { return in.To[0], nil })
	typed(d, "pointer", func(in *point) (*point, error) { in.X++; return in, nil })
	typed(d, "map", same[map[string]any])
	typed(d, "any", same[any])
	typed(d, "string", same[string])
	typed(d, "empty", same[bennu.Empty])
	typed(d, "raw", same[bennu.Raw])
	typed(d, "raw within", same[struct {
		R bennu.Raw `json:"r"`
	}])
	typed(d, "raw nil", func(bennu.Empty) (bennu.Raw, error) { return nil, nil })
	typed(d, "raw spaced", func(bennu.Empty) (bennu.Raw, error) { return bennu.Raw(` { "a" : 1 } `), nil })
	typed(d, "message", same[json.RawMessage])
	typed(d, "payload", same[bennu.Payload])
	typed(d, "payload zero", func(bennu.Empty) (bennu.Payload, error) { return bennu.Payload{}, nil })
	typed(d, "bytes", same[[]byte])
	typed(d, "reply", func(in bennu.Raw) (bennu.Reply, error) { return bennu.Reply{Status: "odd", Response: in}, nil })
	typed(d, "reply bare", func(bennu.Empty) (bennu.Reply, error) { return bennu.Reply{Status: "error"}, nil })
	typed(d, "value", same[positive])
	typed(d, "ptr", same[named])
	typed(d, "ptr to ptr", same[*named])
	typed(d, "own", func(in own) (int, error) { return in.n + 1, nil })
	typed(d, "ptr to own", func(in *own) (int, error) { return in.n + 1, nil })
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	for _, tc := range []struct{ event, payload, status, response string }{
		{"struct", `{"from":{"x":1},"to":[{"x":2,"y":3}]}`, "ok", `{"x":2,"y":3}`},
		{"struct", `{"from":{"x":"1"}}`, "error", `{"reason":"invalid payload","field":"from.x"}`},
		{"struct", `{"to":[{"y":1.5}]}`, "error", `{"reason":"invalid payload","field":"to.y"}`},
		{"struct", `[1]`, "error", `{"reason":"invalid payload"}`},
		{"pointer", `{"x":1}`, "ok", `{"x":2,"y":0}`},
		{"map", `{"a":{"b":[1,null]}}`, "ok", `{"a":{"b":[1,null]}}`},
		{"any", `[1,"<&>"]`, "ok", `[1,"<&>"]`},
		{"any", `null`, "ok", `{}`},
		{"string", `"é\u0000"`, "ok", `"é\u0000"`},
		{"string", `{}`, "error", `{"reason":"invalid payload"}`},
		{"empty", `[1,2,3]`, "ok", `{}`},
		{"raw", `{"n":123456789012345678901234567890}`, "ok", `{"n":123456789012345678901234567890}`},
		{"raw within", `{"r":{"n":1.0}}`, "ok", `{"r":{"n":1.0}}`},
		{"raw within", `{}`, "ok", `{"r":null}`},
		{"raw nil", `{}`, "ok", `{}`},
		{"raw spaced", `{}`, "ok", `{"a":1}`},
		{"message", `{"n":1.50}`, "ok", `{"n":1.50}`},
		{"payload", `"text"`, "ok", `"text"`},
		{"payload zero", `{}`, "ok", `{}`},
		{"bytes", `{}`, "error", `{"reason":"invalid payload"}`},
		{"reply", `[]`, "odd", `[]`},
		{"reply bare", `{}`, "error", `{}`},
		{"value", `{"n":1}`, "ok", `{"n":1}`},
		{"value", `{"n":-1}`, "error", `{"reason":"invalid payload"}`},
		{"ptr", `{"name":"x"}`, "ok", `{"name":"x"}`},
		{"ptr", `{}`, "error", `{"reason":"no name"}`},
		{"ptr to ptr", `{}`, "error", `{"reason":"no name"}`},
		{"own", `41`, "ok", `42`},
		{"own", `{}`, "error", `{"reason":"invalid payload"}`},
		{"ptr to own", `41`, "ok", `42`},
	} {
		c.Want("a", tc.event, tc.payload, tc.status, tc.response)
	}
	c.Fence()
}

// binaryPush is a push of version 2 in its binary form.
func binaryPush(joinRef, ref, topic, event, payload string) wstest.Frame {
	b := []byte{0, byte(len(joinRef)), byte(len(ref)), byte(len(topic)), byte(len(event))}
	return wstest.Binary([]byte(string(b) + joinRef + ref + topic + event + payload))
}

// binaryReply is the reply to it.
func binaryReply(joinRef, ref, topic, status, payload string) wstest.Frame {
	b := []byte{1, byte(len(joinRef)), byte(len(ref)), byte(len(topic)), byte(len(status))}
	return wstest.Binary([]byte(string(b) + joinRef + ref + topic + status + payload))
}

// TestBinaryPayloads sends bytes to handlers of every kind.
func TestBinaryPayloads(t *testing.T) {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, []byte, error) {
		return &room{ch}, []byte("hi"), nil
	})
	typed(d, "bytes", same[[]byte])
	typed(d, "bytes nil", func(bennu.Empty) ([]byte, error) { return nil, nil })
	typed(d, "payload", same[bennu.Payload])
	typed(d, "empty", same[bennu.Empty])
	typed(d, "raw", same[bennu.Raw])
	typed(d, "struct", same[point])
	typed(d, "none", func([]byte) (bennu.NoReply, error) { return bennu.NoReply{}, nil })
	bennu.On(d, "push", func(r *room, _ context.Context, p []byte) (bennu.NoReply, error) {
		return bennu.NoReply{}, errors.Join(r.Push("p", p), r.Broadcast("b", p))
	})
	bennu.Intercept(d, "i", func(r *room, _ context.Context, p []byte) error { return r.Push("i", append(p, '!')) })
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Push("a", "phx_join", "{}")
	c.ExpectFrame(binaryReply("1", "1", "a", "ok", "hi"))

	for _, event := range []string{"bytes", "payload"} {
		c.Send(binaryPush("1", "r", "a", event, "\x00\xff"))
		c.ExpectFrame(binaryReply("1", "r", "a", "ok", "\x00\xff"))
	}
	c.Send(binaryPush("1", "r", "a", "bytes nil", ""))
	c.ExpectFrame(binaryReply("1", "r", "a", "ok", ""))
	c.Send(binaryPush("1", "r", "a", "empty", "x"))
	c.Expect(wstest.OK(`"1"`, `"r"`, "a"))
	for _, event := range []string{"raw", "struct"} {
		c.Send(binaryPush("1", "r", "a", event, "{}"))
		c.Expect(wstest.Refused(`"1"`, `"r"`, "a", "invalid payload"))
	}
	c.Send(binaryPush("1", "r", "a", "none", "x"))
	c.Send(binaryPush("1", "r", "a", "push", "x"))
	c.ExpectFrame(wstest.Binary([]byte("\x00\x01\x01\x011apx")))
	c.ExpectFrame(wstest.Binary([]byte("\x02\x01\x01abx")))
	if err := s.Broadcast("a", "i", []byte("y")); err != nil {
		t.Error(err)
	}
	c.ExpectFrame(wstest.Binary([]byte("\x00\x01\x01\x011aiy!")))
	c.Fence()
}

// TestInvalidPayloadKeepsSecrets looks for the reason of a failed validation
// where only the operator may see it.
func TestInvalidPayloadKeepsSecrets(t *testing.T) {
	d := bennu.Define(joinRoom)
	typed(d, "value", same[positive])
	typed(d, "fail", func(bennu.Empty) (bennu.Empty, error) { return bennu.Empty{}, errors.New("secret 18") })
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	c.Want("a", "value", `{"n":-1}`, "error", `{"reason":"invalid payload"}`)
	c.Want("a", "fail", `{}`, "error", `{"reason":"internal"}`)
	if lines := s.log.about("handler failed"); len(lines) != 1 || !strings.Contains(lines[0], "secret 18") {
		t.Errorf("the operator is told %q", lines)
	}
}
