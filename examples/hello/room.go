package hello

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
)

// roomChannel is one person in one chat room.
type roomChannel struct {
	*bennu.Channel
	name string
	here *presence.Presence[Here]
}

// Here is the meta of the people who are in a room.
type Here struct {
	Node string `json:"node,omitempty"`
}

func rooms(here *presence.Presence[Here]) bennu.ChannelHandler {
	d := bennu.Define(func(ctx context.Context, ch *bennu.Channel, in person) (*roomChannel, bennu.Empty, error) {
		return joinRoom(ctx, ch, in, here)
	})
	bennu.On(d, "shout", (*roomChannel).shout)
	bennu.OnInfo(d, (*roomChannel).arrive)
	return d
}

type person struct {
	Name string `json:"name"`
}

func (p person) Validate() error { return checkLength("name", p.Name, 40) }

// arrived is the message that the channel gets when its join is complete.
type arrived struct{}

// joinRoom decides who may come in. Nothing can be pushed to the client before joinRoom
// has returned, so it sends the channel a message, and arrive does the rest.
func joinRoom(_ context.Context, ch *bennu.Channel, in person, here *presence.Presence[Here]) (*roomChannel, bennu.Empty, error) {
	return &roomChannel{ch, in.Name, here}, bennu.Empty{}, ch.Send(arrived{})
}

// arrive pushes the list of people to the client, adds the client to it, and
// broadcasts the name.
func (r *roomChannel) arrive(context.Context, arrived) error {
	if err := r.here.PushState(r.Channel); err != nil {
		return err
	}
	if _, err := r.here.Track(r.Channel, r.name, Here{r.node()}); err != nil {
		return err
	}
	return r.Broadcast("arrived", person{r.name})
}

// node returns the name of the node that the client is connected to. It is empty if
// there is only one node.
func (r *roomChannel) node() string { return r.Socket().Endpoint().PubSub().Node() }

// Terminate is called once when the channel has ended, for any reason: the client
// left, its connection was lost, or a handler panicked.
func (r *roomChannel) Terminate(error) {
	_ = r.Broadcast("left", person{r.name}) // can fail between nodes; there is no client to tell
}

type shout struct {
	Body string `json:"body"`
}

func (s shout) Validate() error { return checkLength("body", s.Body, 280) }

type shouted struct {
	Name string    `json:"name"`
	Body string    `json:"body"`
	Node string    `json:"node,omitempty"` // of the sender
	At   time.Time `json:"at"`
}

// shout broadcasts to everybody in the room, the sender included. The name is the one
// that the client joined with; the payload cannot change it.
func (r *roomChannel) shout(_ context.Context, in shout) (bennu.Empty, error) {
	return bennu.Empty{}, r.Broadcast("shout", shouted{r.name, in.Body, r.node(), time.Now().UTC().Truncate(time.Millisecond)})
}

// checkLength accepts 1 to limit characters that are not all blank.
func checkLength(field, text string, limit int) error {
	if strings.TrimSpace(text) == "" {
		return bennu.Errorf("%s must not be blank", field)
	}
	if utf8.RuneCountInString(text) > limit {
		return bennu.Errorf("%s must have at most %d characters", field, limit)
	}
	return nil
}
