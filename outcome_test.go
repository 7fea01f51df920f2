package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/wire"
)

// TestOutcomes returns what is easily written differently from what was meant.
func TestOutcomes(t *testing.T) {
	d := rooms()
	bennu.On(d, "bare", func(*room, context.Context, bennu.Empty) (bennu.Reply, error) {
		return bennu.Reply{Response: map[string]int{"n": 1}}, nil
	})
	bennu.On(d, "none", func(*room, context.Context, bennu.Empty) (bennu.Reply, error) { return bennu.Reply{}, nil })
	bennu.On(d, "stop", func(*room, context.Context, bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, errors.Join(bennu.Stop, bennu.Errorf("enough"))
	})
	bennu.On(d, "out", func(*room, context.Context, bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, &bennu.Disconnect{Code: 4007}
	})
	bennu.On(d, "unsendable", func(*room, context.Context, bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, bennu.Disconnect{Code: 1006}
	})
	s := serve(t, one("*", d), nil, nil)
	c := wstest.Dial(t, s.url)
	ref := c.Join("a")
	c.Want("a", "bare", "{}", "ok", `{"n":1}`)
	c.Push("a", "none", "{}")
	c.Want("a", "stop", "{}", "error", `{"reason":"enough"}`)
	c.Expect(wstest.Closed(ref, "a"))
	for event, code := range map[string]int{"out": 4007, "unsendable": 1011} {
		c := wstest.Dial(t, s.url)
		c.Join("a")
		c.Push("a", event, "{}")
		c.ExpectClose(code)
	}
}

// fallible is a serializer of an application, with mistakes in it.
type fallible struct{ wire.Serializer }

func (f fallible) Decode(op wire.Opcode, data []byte) (wire.Message, error) {
	m, err := f.Serializer.Decode(op, data)
	if m.Event == "decode" {
		panic("as asked")
	}
	return m, err
}

func (f fallible) AppendBroadcast(dst []byte, b *wire.Broadcast) (wire.Opcode, []byte, error) {
	if b.Event == "encode" {
		panic("as asked")
	}
	return f.Serializer.AppendBroadcast(dst, b)
}

// TestSerializerPanics has them end no more than what they serve.
func TestSerializerPanics(t *testing.T) {
	users := one("*", rooms())
	users.Serializers = []wire.Versioned{{Requirement: "~> 2.0.0", Serializer: fallible{wire.V2(nil)}}}
	s := serve(t, users, nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	if err := s.Broadcast("a", "encode", nil); err != nil {
		t.Errorf("the publisher is told %v", err)
	}
	c.Want("a", "echo", "{}", "ok", "{}")
	c.Push("a", "decode", "{}")
	c.ExpectClose(1011)
}

// TestJoinReplyOfVersion1 joins a topic whose reply is bytes, which version 1 has no form for: the
// join fails, and the other channels of the connection go on.
func TestJoinReplyOfVersion1(t *testing.T) {
	users := one("a", rooms())
	users.Channel("bytes", bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, []byte, error) {
		return &room{ch}, []byte("x"), nil
	}))
	s := serve(t, users, nil, nil)
	c := wstest.Dial(t, strings.Replace(s.url, "vsn=2.0.0", "vsn=1.0.0", 1))
	for _, step := range []struct{ topic, event, want string }{
		{"a", "phx_join", `{"response":{},"status":"ok"}`},
		{"bytes", "phx_join", `{"response":{"reason":"join crashed"},"status":"error"}`},
		{"bytes", "echo", `{"response":{"reason":"unmatched topic"},"status":"error"}`},
		{"a", "echo", `{"response":{},"status":"ok"}`},
	} {
		c.Send(wstest.Text(fmt.Sprintf(`{"topic":%q,"event":%q,"payload":{},"ref":"1","join_ref":null}`, step.topic, step.event)))
		if f := c.Next(); !strings.Contains(string(f.Payload), `"payload":`+step.want) {
			t.Errorf("%s of %s: %s", step.event, step.topic, f.Payload)
		}
	}
	if got := s.Stats(); got.JoinCrashes != 1 || got.Reasons["join_reply"] != 1 {
		t.Errorf("%d joins crashed, reasons %v", got.JoinCrashes, got.Reasons)
	}
}
