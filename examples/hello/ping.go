package hello

import (
	"context"
	"time"

	"github.com/bennu-go/bennu"
)

// pingChannel is the state of one joined ping topic. Its methods run one at a time,
// so its fields need no lock.
type pingChannel struct {
	*bennu.Channel
	dings   int  // sent so far
	waiting bool // a ding has been asked for and not sent yet
}

func pings() bennu.ChannelHandler {
	d := bennu.Define(joinPing)
	bennu.On(d, "ping", (*pingChannel).ping)
	bennu.On(d, "hello", (*pingChannel).hello)
	bennu.On(d, "ding_me", (*pingChannel).dingMe)
	bennu.OnInfo(d, (*pingChannel).ding)
	return d
}

func joinPing(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*pingChannel, bennu.Empty, error) {
	return &pingChannel{Channel: ch}, bennu.Empty{}, nil
}

type pong struct {
	Ping string `json:"ping"`
}

// ping returns the reply to the client.
func (p *pingChannel) ping(context.Context, bennu.Empty) (pong, error) {
	return pong{"pong"}, nil
}

type hello struct {
	Name string `json:"name"`
}

// Validate is called before the handler. If it returns a *bennu.Error, the client gets
// that as the reply, and the handler is not called.
func (h hello) Validate() error { return checkLength("name", h.Name, 40) }

type greeting struct {
	Message string `json:"message"`
}

// hello replies with the name that the client sent.
func (p *pingChannel) hello(_ context.Context, in hello) (greeting, error) {
	return greeting{"Hello, " + in.Name + ". The heron has heard you."}, nil
}

type dingMe struct {
	AfterMS int `json:"after_ms"`
}

func (d dingMe) Validate() error {
	if d.AfterMS < 0 || d.AfterMS > 10_000 {
		return bennu.Errorf("after_ms must be between 0 and 10000")
	}
	return nil
}

// ding is the message that the channel sends to itself when it is time to push.
type ding struct{}

// dingMe replies at once. After the time that the client asked for, the server pushes
// a ding.
func (p *pingChannel) dingMe(_ context.Context, in dingMe) (bennu.Empty, error) {
	if p.waiting {
		return bennu.Empty{}, bennu.Errorf("one ding at a time")
	}
	p.waiting = true
	p.Go(func(ctx context.Context) error {
		select {
		case <-time.After(time.Duration(in.AfterMS) * time.Millisecond):
			return p.Send(ding{})
		case <-ctx.Done(): // the client left
			return nil
		}
	})
	return bennu.Empty{}, nil
}

type dingCount struct {
	N int `json:"n"`
}

// ding handles the message of dingMe. It may use the fields, since it runs like the
// other handlers, one at a time.
func (p *pingChannel) ding(context.Context, ding) error {
	p.waiting = false
	p.dings++
	return p.Push("ding", dingCount{p.dings})
}
