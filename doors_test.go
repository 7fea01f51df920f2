package bennu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

// Whatever door an event or a payload leaves by, the same rules apply.

// doors are all ways to send an event from a channel or an endpoint.
func doors(s *server, r *room) map[string]func(event string, payload any) error {
	return map[string]func(event string, payload any) error{
		"Push":                   r.Push,
		"Broadcast":              r.Broadcast,
		"BroadcastFrom":          r.BroadcastFrom,
		"Endpoint.Broadcast":     func(event string, payload any) error { return s.Broadcast("a", event, payload) },
		"Endpoint.BroadcastFrom": func(event string, payload any) error { return s.BroadcastFrom(nil, "a", event, payload) },
		"LocalBroadcast":         func(event string, payload any) error { return s.LocalBroadcast("a", event, payload) },
	}
}

// entered joins topic a and returns its state.
func entered(t *testing.T) (*server, *room, *wstest.Client) {
	t.Helper()
	states := make(chan *room, 1)
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		states <- &room{ch}
		return &room{ch}, bennu.Empty{}, nil
	})
	s := serve(t, one("a", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	return s, waittest.Next(t, "the state", states), c
}

func TestEventsThatCannotBeSent(t *testing.T) {
	s, r, c := entered(t)
	for name, send := range doors(s, r) {
		for event, want := range map[string]string{
			"": "must have a name", "\xff": "UTF-8", strings.Repeat("x", 256): "at most 255 bytes",
			"phx_join": "belongs to the protocol", "phx_leave": "belongs", "phx_reply": "belongs", "phx_close": "belongs", "phx_error": "belongs",
		} {
			if err := send(event, nil); !errors.Is(err, bennu.ErrInvalid) || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s of %.20q: %v", name, event, err)
			}
		}
		if err := send("heartbeat", nil); err != nil {
			t.Errorf("%s of heartbeat: %v", name, err)
		}
		if name != "BroadcastFrom" {
			c.Event("a", "heartbeat")
		}
	}
	// The PubSub itself carries anything, but not to clients.
	if err := s.PubSub().Broadcast(&pubsub.Message{Topic: "a", Event: "phx_close", Payload: []byte("{}")}); err != nil {
		t.Error(err)
	}
	c.Fence()
	if lines := s.log.about("a broadcast that the program published on the PubSub itself was not sent to clients: its event is not valid"); len(lines) != 1 || !strings.Contains(lines[0], "phx_close") {
		t.Errorf("the log has %q", lines)
	}
}

type pair struct {
	X int `json:"x"`
}

// selfNull encodes itself as null, and means it.
type selfNull struct{}

func (selfNull) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// absent are values of every kind that are nil.
func absent() map[string]any {
	var (
		pointer *pair
		object  map[string]int
	)
	return map[string]any{
		"nil": nil, "pointer": pointer, "map": object, "raw": bennu.Raw(nil), "json": json.RawMessage(nil), "payload": bennu.Payload{},
		"pointer to a payload": (*bennu.Payload)(nil), "pointer to a map": &object, "pointer to a pointer": &pointer, "empty": bennu.Empty{},
		"pointer to a zero payload": &bennu.Payload{}, "pointer to raw": (*bennu.Raw)(nil),
	}
}

func TestNilPayloads(t *testing.T) {
	s, r, c := entered(t)
	for name, send := range doors(s, r) {
		for kind, v := range absent() {
			if err := send("e", v); err != nil {
				t.Errorf("%s of %s: %v", name, kind, err)
			} else if name != "BroadcastFrom" {
				if m := c.Event("a", "e"); string(m.Payload) != "{}" {
					t.Errorf("%s of %s: %s", name, kind, m.Payload)
				}
			}
		}
		for kind, v := range map[string]any{"slice": []int(nil), "self": selfNull{}, "explicit": bennu.Raw("null")} {
			if err := send("e", v); !errors.Is(err, bennu.ErrInvalid) {
				t.Errorf("%s of %s: %v", name, kind, err)
			}
		}
	}
	c.Fence()
}

// TestNilReplies answers with nil of each kind, from a handler, a Ref, an Error and a join.
func TestNilReplies(t *testing.T) {
	values := absent()
	values["slice"], values["self"], values["explicit"] = []int(nil), selfNull{}, bennu.Raw("null")
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in what) (*room, any, error) {
		return &room{ch}, values[in.What], nil
	})
	bennu.On(d, "out", func(_ *room, _ context.Context, in what) (any, error) { return values[in.What], nil })
	bennu.On(d, "reply", func(_ *room, _ context.Context, in what) (bennu.Reply, error) {
		return bennu.Reply{Status: "ok", Response: values[in.What]}, nil
	})
	bennu.On(d, "ref", func(_ *room, ctx context.Context, in what) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.ReplyRef(ctx).Reply(values[in.What])
	})
	bennu.On(d, "error", func(_ *room, _ context.Context, in what) (bennu.NoReply, error) {
		return bennu.NoReply{}, &bennu.Error{Reason: "no", Response: values[in.What]}
	})
	bennu.On(d, "nil error", func(_ *room, ctx context.Context, in what) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.ReplyRef(ctx).Refuse(nil)
	})
	bennu.On(d, "map", func(*room, context.Context, bennu.Empty) (map[string]int, error) { return nil, nil })
	bennu.On(d, "pointer", func(*room, context.Context, bennu.Empty) (*pair, error) { return nil, nil })
	bennu.On(d, "list", func(*room, context.Context, bennu.Empty) ([]pair, error) { return nil, nil })
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	for kind := range values {
		want := "{}"
		switch kind {
		case "slice":
			want = "[]"
		case "self", "explicit":
			want = "null"
		}
		payload := fmt.Sprintf(`{"what":%q}`, kind)
		for _, event := range []string{"out", "reply", "ref"} {
			c.Want("a", event, payload, "ok", want)
		}
		inError := `{"reason":"no"}`
		switch kind {
		case "payload", "pointer to a payload", "pointer to a map", "pointer to a pointer", "empty", "pointer to a zero payload", "self", "explicit":
			if kind != "pointer to a payload" {
				inError = want
			}
		}
		c.Want("a", "error", payload, "error", inError)
		ref := c.Push("join "+kind, "phx_join", payload)
		c.Expect(wstest.Reply(ref, ref, "join "+kind, "ok", want))
	}
	c.Want("a", "nil error", "{}", "error", "{}")
	c.Want("a", "map", "{}", "ok", "{}")
	c.Want("a", "pointer", "{}", "ok", "{}")
	c.Want("a", "list", "{}", "ok", "[]")
}
