package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
	"github.com/bennu-go/bennu/wire"
)

// TestUnwelcome sends messages that are framed well and are not accepted: each is answered, and
// the connection and its other channels go on.
func TestUnwelcome(t *testing.T) {
	numbers := "[" + strings.Repeat("1,", jsontext.MaxTokens) + "1]"
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for _, way := range []string{"epoll", "parked", "longpoll"} {
		t.Run(way, func(t *testing.T) {
			ended := make(chan error, 10)
			d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Raw) (*member, bennu.Empty, error) {
				return &member{ch, ended}, bennu.Empty{}, nil
			})
			bennu.On(d, "echo", func(_ *member, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
			s := serve(t, one("room:*", d), &bennu.SocketOptions{Transports: both}, &bennu.EndpointOptions{NoEpoll: way == "parked"})
			transport := "websocket"
			if way == "longpoll" {
				transport = way
			}
			c := (&road{s, transport}).dial(t, "")
			other, j := c.Join("room:a"), c.Join("room:b")
			for name, payload := range map[string]string{
				"tokens": numbers, "depth": deep, "surrogate": `{"a":"\ud83d"}`, "two halves": `{"\ude00\ud83d":1}`,
				"number": `{"n":1e999}`, "depth in depth": `{"a":[` + deep + `],"b":"\udfff"}`,
			} {
				for _, tc := range []struct{ send, want string }{
					{wstest.V2(j, `"7"`, "room:b", "echo", payload), wstest.Refused(j, `"7"`, "room:b", "invalid payload")},
					{wstest.V2("null", `"7"`, "room:b", "echo", payload), wstest.Refused(j, `"7"`, "room:b", "invalid payload")},
					{wstest.V2("null", `"7"`, "room:none", "echo", payload), wstest.Refused("null", `"7"`, "room:none", "unmatched topic")},
					{wstest.V2(`"9"`, `"9"`, "room:c", "phx_join", payload), wstest.Refused(`"9"`, `"9"`, "room:c", "invalid payload")},
					{fmt.Sprintf(`[%s,"7","room:b","\ud83d",%s]`, j, payload), wstest.Refused(j, `"7"`, "room:b", "invalid payload")},
					{fmt.Sprintf(`[null,"7","\ud83d",%q,%s]`, "echo", payload), `[null,"7","\ud83d","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
				} {
					c.Send(wstest.Text(tc.send))
					c.Expect(tc.want)
				}
				// Nobody waits for a reply: the channel ends.
				c.Send(wstest.Text(wstest.V2(j, "null", "room:b", "echo", payload)))
				c.Expect(wstest.Crashed(j, "room:b"))
				if reason := waittest.Next(t, "the channel ends", ended); !errors.Is(reason, wire.ErrMalformed) {
					t.Errorf("%s: reason %v", name, reason)
				}
				j = c.Join("room:b")
			}
			// A ref that is too long cannot be told.
			c.Send(wstest.Text(wstest.V2(j, `"`+strings.Repeat("r", wire.MaxRef+1)+`"`, "room:b", "echo", "{}")))
			c.Expect(wstest.Crashed(j, "room:b"))
			j = c.Join("room:b")
			c.Send(wstest.Text(wstest.V2(j, `"8"`, "room:b", "phx_leave", deep)))
			c.ExpectAll(wstest.OK(j, `"8"`, "room:b"), wstest.Closed(j, "room:b"))
			ref := c.Push("room:a", "echo", `{"a":1}`)
			c.Expect(wstest.Reply(other, ref, "room:a", "ok", `{"a":1}`))
			if n := s.Stats().Reasons["message_refused"]; n < 34 {
				t.Errorf("%d refusals are counted", n)
			}
			if way == "longpoll" {
				return
			}
			// What is no message at all closes the connection.
			c.Send(wstest.Text(`["1","2","room:a","echo",` + deep))
			c.ExpectClose(1011)
			// So does a heartbeat that Phoenix does not read.
			c = wstest.Dial(t, s.url)
			c.Send(wstest.Text(wstest.V2("null", `"1"`, "phoenix", "heartbeat", `{"a":"\ud83d"}`)))
			c.ExpectClose(1011)
		})
	}
}

// TestMessageTokens raises and lowers the bound, for both versions.
func TestMessageTokens(t *testing.T) {
	payload := func(tokens int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", tokens-1), ",") + "]" }
	for bound, list := range map[int][]int{0: {jsontext.MaxTokens}, 100: {100}, 20_000: {20_000}, bennu.Unlimited: nil} {
		users := one("room:*", rooms())
		users.Limits.MessageTokens = bound
		s := serve(t, users, nil, nil)
		c := wstest.Dial(t, s.url)
		c.Join("room:a")
		for _, most := range list {
			c.Want("room:a", "echo", payload(most-5-1), "ok", payload(most-5-1)) // an array, five elements, one of them the payload
			c.Want("room:a", "echo", payload(most), "error", `{"reason":"invalid payload"}`)
		}
		if bound == bennu.Unlimited {
			c.Want("room:a", "echo", payload(100_000), "ok", payload(100_000))
		}
	}
}

// TestUnwelcomeBroadcast has payloads of a program that are larger or deeper than a client's
// may be.
func TestUnwelcomeBroadcast(t *testing.T) {
	var nested any = 1
	for range 100 {
		nested = []any{nested}
	}
	var broker pubsubtest.Memory
	a, b := joinNode(t, &broker, "a", false), joinNode(t, &broker, "b", false)
	c := wstest.Dial(t, b.url)
	c.Join("room:1")
	for _, payload := range []any{map[string]any{"a": slices.Repeat([]int{1}, 20_000)}, map[string]any{"a": nested}} {
		if err := a.Broadcast("room:1", "large", payload); err != nil {
			t.Error(err)
		}
		c.Event("room:1", "large")
	}
}
