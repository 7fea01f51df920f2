package bennu

import (
	"context"
	"errors"
	"testing"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// FuzzMessages gives whatever it likes to a socket with channels joined, in each
// version of the protocol. Nothing may panic, the connection may close only with
// 1011, and the channels of another connection must not notice.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		`[null,"1","phoenix","heartbeat",{}]`,
		`["1","2","room:a","echo",{"n":1}]`,
		`["1","2","room:a","typed",{"text":"x","list":[1,2]}]`,
		`["1","2","room:a","typed",{"text":7}]`,
		`["1","2","room:a","phx_leave",{}]`,
		`["9","9","room:a","phx_join",{}]`,
		`["9","9","room:b","phx_join",{"deep":[[[[[[]]]]]]}]`,
		`[1,2.0,{"a":[]},"phx_join",null]`,
		`["1","2","room:a","echo",1e400]`,
		`["1","2","room:a","unknown",{}]`,
		`{"topic":"room:a","event":"echo","payload":{},"ref":"1"}`,
		`{"topic":"phoenix","event":"heartbeat","payload":{},"ref":null}`,
		"\x00\x01\x01\x06\x0412room:aecho\x01\x02",
		"\x00\x01\x01\x06\x0412room:abin\x01\x02",
	} {
		f.Add(byte(0), []byte(seed))
		f.Add(byte(1), []byte(seed))
		f.Add(byte(2), []byte(seed))
		f.Add(byte(3), []byte(seed))
	}
	type typed struct {
		Text string         `json:"text"`
		List []int          `json:"list"`
		More map[string]any `json:"more"`
	}
	d := Define(func(context.Context, *Channel, Payload) (struct{}, Empty, error) { return struct{}{}, Empty{}, nil })
	On(d, "echo", func(_ struct{}, _ context.Context, p Payload) (Payload, error) { return p, nil })
	On(d, "raw", func(_ struct{}, _ context.Context, p Raw) (Raw, error) { return p, nil })
	On(d, "bin", func(_ struct{}, _ context.Context, p []byte) ([]byte, error) { return p, nil })
	On(d, "typed", func(_ struct{}, _ context.Context, p typed) (typed, error) { return p, nil })
	users := &SocketHandler{}
	users.Channel("room:*", d)
	_, h := memEndpoint(f, users, nil)
	bystander := memDial(f, h)
	bystander.send(`["1","1","room:a","phx_join",{}]`)
	bystander.await(1)

	f.Fuzz(func(t *testing.T, mode byte, data []byte) {
		c := memDial(t, h)
		if mode&2 != 0 {
			c.socket.serializer = wire.V1(nil)
		}
		join := `["1","1","room:a","phx_join",{}]`
		if mode&2 != 0 {
			join = `{"topic":"room:a","event":"phx_join","payload":{},"ref":"1","join_ref":"1"}`
		}
		c.send(join)
		c.await(1)
		op := wire.Text
		if mode&1 != 0 {
			op = wire.Binary
		}
		if resume := (*receiver)(c.socket).Receive(op, data); resume != nil {
			<-resume
		}
		// What a message starts ends before a leave is answered.
		if handled := (*receiver)(c.socket).AllHandled(); handled != nil {
			<-handled
		}
		if code := c.closed(); code != 0 && code != transport.CloseInternalError {
			t.Fatalf("closed with %d", code)
		}
		c.hangUp(errors.New("the end of the test"))

		bystander.t = t
		bystander.send(`["1","2","room:a","echo",{}]`)
		if got := bystander.await(1)[0]; got != `["1","2","room:a","phx_reply",{"response":{},"status":"ok"}]` {
			t.Fatalf("the bystander got %s", got)
		}
	})
}
