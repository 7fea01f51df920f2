package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/wire"
)

// TestBytesOverLongPoll sends bytes to a client of long polling, which cannot get any, in every way
// that there is: who made them is told, and a client that waits for a reply gets an error.
func TestBytesOverLongPoll(t *testing.T) {
	bytes := []byte("abc")
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in struct{ Bytes bool }) (*room, bennu.Payload, error) {
		return &room{ch}, bennu.Payload{Data: []byte("{}"), Binary: in.Bytes}, nil
	})
	bennu.On(d, "reply", func(*room, context.Context, bennu.Empty) ([]byte, error) { return bytes, nil })
	bennu.On(d, "stop", func(*room, context.Context, bennu.Empty) ([]byte, error) { return bytes, bennu.Stop })
	bennu.On(d, "push", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, fmt.Errorf("as a handler passes it on: %w", r.Push("p", bytes))
	})
	bennu.On(d, "broadcast", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, r.Broadcast("b", bytes)
	})
	bennu.On(d, "later", func(_ *room, ctx context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		ref := bennu.ReplyRef(ctx)
		if err := ref.Reply(bytes); !errors.Is(err, wire.ErrNoBinary) {
			t.Errorf("Reply: %v", err)
		}
		return bennu.NoReply{}, ref.Reply(nil)
	})
	s := serve(t, one("*", d), &bennu.SocketOptions{Transports: both}, nil)
	c, other := wstest.DialLongPoll(t, s.polls()), wstest.Dial(t, s.url)
	joinRef := c.Join("a")
	other.Join("a")
	const refused = `{"reason":"no binary"}`
	c.Want("a", "reply", "{}", "error", refused)
	c.Want("a", "push", "{}", "error", refused)
	c.Want("a", "later", "{}", "ok", "{}")
	c.Want("a", "broadcast", "{}", "ok", "{}")
	other.ExpectFrame(wstest.Binary([]byte("\x02\x01\x01ababc"))) // the others get it
	c.Want("b", "phx_join", `{"bytes":true}`, "error", refused)
	c.Want("b", "reply", "{}", "error", `{"reason":"unmatched topic"}`)
	c.Want("a", "stop", "{}", "error", refused)
	c.Expect(wstest.Closed(joinRef, "a"))
	if n := s.Endpoint.Stats().Reasons["binary_frame"]; n != 6 {
		t.Errorf("%d times binary_frame", n)
	}
}
