package bennu_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// embedding is the shortest middleware there is: its instances override nothing.
type embedding struct{ bennu.ChannelHandler }

type embedded struct{ bennu.Instance }

func (e embedding) Join(ctx context.Context, ch *bennu.Channel, p bennu.Payload) (bennu.Instance, bennu.Reply, error) {
	i, r, err := e.ChannelHandler.Join(ctx, ch, p)
	if err != nil {
		return nil, bennu.Reply{}, err
	}
	return embedded{i}, r, nil
}

func embed(next bennu.ChannelHandler) bennu.ChannelHandler { return embedding{next} }

// parting is a state that tells of its end.
type parting struct {
	*bennu.Channel
	ended chan error
}

func (p *parting) Terminate(reason error) { p.ended <- reason }

// TestTerminate ends channels whose state has a Terminate, with and without middleware that
// embeds the Instance, and whatever type Define knows it by.
func TestTerminate(t *testing.T) {
	ended := make(chan error, 10)
	concrete := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*parting, bennu.Empty, error) {
		return &parting{ch, ended}, bennu.Empty{}, nil
	})
	asAny := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (any, bennu.Empty, error) {
		return &parting{ch, ended}, bennu.Empty{}, nil
	})
	var users bennu.SocketHandler
	users.Channel("plain", concrete)
	users.Channel("embedded", concrete, embed, embed)
	users.Channel("any", asAny)
	users.Channel("any embedded", asAny, embed)
	s := serve(t, &users, nil, nil)
	c := wstest.Dial(t, s.url)
	for _, topic := range []string{"plain", "embedded", "any", "any embedded"} {
		ref := c.Join(topic)
		leave := c.Push(topic, "phx_leave", "{}")
		c.Expect(wstest.OK(ref, leave, topic), wstest.Closed(ref, topic))
		if reason := waittest.Next(t, "the Terminate of "+topic, ended); !errors.Is(reason, bennu.ErrLeft) {
			t.Errorf("%s ended with %v", topic, reason)
		}
	}
	if len(ended) != 0 {
		t.Errorf("%d calls of Terminate too many", len(ended))
	}
}

// refusing is middleware that refuses a join after the one it wraps has succeeded.
type refusing struct{ bennu.ChannelHandler }

func (r refusing) Join(ctx context.Context, ch *bennu.Channel, p bennu.Payload) (bennu.Instance, bennu.Reply, error) {
	i, reply, err := r.ChannelHandler.Join(ctx, ch, p)
	return i, reply, errors.Join(err, bennu.Errorf("after all"))
}

// TestTerminateOfRefusedJoin ends an instance that comes beside an error, and one whose reply
// panics while it is encoded.
func TestTerminateOfRefusedJoin(t *testing.T) {
	ended := make(chan error, 10)
	var users bennu.SocketHandler
	users.Channel("refused", bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*parting, bennu.Empty, error) {
		return &parting{ch, ended}, bennu.Empty{}, nil
	}), func(next bennu.ChannelHandler) bennu.ChannelHandler { return refusing{next} })
	users.Channel("bomb", bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*parting, bomb, error) {
		return &parting{ch, ended}, bomb{}, nil
	}))
	s := serve(t, &users, nil, nil)
	c := wstest.Dial(t, s.url)
	for topic, reason := range map[string]string{"refused": "after all", "bomb": "join crashed"} {
		ref := c.Push(topic, "phx_join", "{}")
		c.Expect(wstest.Refused(ref, ref, topic, reason))
		if err := waittest.Next(t, "the Terminate of "+topic, ended); err == nil {
			t.Errorf("%s ended without a reason", topic)
		}
	}
}

type noReason struct{ *bennu.Channel }

func (*noReason) Terminate() {}

type byPointer struct{ *bennu.Channel }

func (*byPointer) Terminate(error) {}

func define[S any]() {
	bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (s S, _ bennu.Empty, _ error) { return })
}

// TestTerminateNeverCalled panics at start.
func TestTerminateNeverCalled(t *testing.T) {
	for want, do := range map[string]func(){
		"it is a func(); make it Terminate(reason error)":                             define[*noReason],
		"the state is bennu_test.byPointer without the *; return a pointer from join": define[byPointer],
	} {
		func() {
			defer func() {
				text, _ := recover().(string)
				if !strings.Contains(text, want) || !regexp.MustCompile(`instance_test\.go:\d+`).MatchString(text) {
					t.Errorf("panics with %q", text)
				}
			}()
			do()
		}()
	}
}
