package bennu_test

import (
	"context"
	"errors"
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
type fallible struct{ wire.V2 }

func (f fallible) Decode(op wire.Opcode, data []byte) (wire.Message, error) {
	m, err := f.V2.Decode(op, data)
	if m.Event == "decode" {
		panic("as asked")
	}
	return m, err
}

func (f fallible) AppendBroadcast(dst []byte, b *wire.Broadcast) (wire.Opcode, []byte, error) {
	if b.Event == "encode" {
		panic("as asked")
	}
	return f.V2.AppendBroadcast(dst, b)
}

// TestSerializerPanics has them end no more than what they serve.
func TestSerializerPanics(t *testing.T) {
	users := one("*", rooms())
	users.Serializers = []wire.Versioned{{Requirement: "~> 2.0.0", Serializer: fallible{}}}
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
