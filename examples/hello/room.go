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

// Here is what a room knows of a person who is in it.
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

// arrived tells the channel that its join is complete.
type arrived struct{}

// joinRoom decides who may come in. The client is not in the room before
// joinRoom has returned, so what follows a join is sent as a message to the channel.
func joinRoom(_ context.Context, ch *bennu.Channel, in person, here *presence.Presence[Here]) (*roomChannel, bennu.Empty, error) {
	return &roomChannel{ch, in.Name, here}, bennu.Empty{}, ch.Send(arrived{})
}

// arrive sends the newcomer who is here, and tells all others of the newcomer.
func (r *roomChannel) arrive(context.Context, arrived) error {
	if err := r.here.PushState(r.Channel); err != nil {
		return err
	}
	if _, err := r.here.Track(r.Channel, r.name, Here{r.node()}); err != nil {
		return err
	}
	return r.Broadcast("arrived", person{r.name})
}

// node is where this client is connected; one that is alone has no name.
func (r *roomChannel) node() string { return r.Socket().Endpoint().PubSub().Node() }

// Terminate is called once, however the channel ended: the client left, its
// connection was lost, a handler panicked.
func (r *roomChannel) Terminate(error) {
	_ = r.Broadcast("left", person{r.name}) // fails only between nodes, and nobody is left to tell
}

type shout struct {
	Body string `json:"body"`
}

func (s shout) Validate() error { return checkLength("body", s.Body, 280) }

type shouted struct {
	Name string    `json:"name"`
	Body string    `json:"body"`
	Node string    `json:"node,omitempty"` // of the one who speaks
	At   time.Time `json:"at"`
}

// shout goes to everybody in the room, the sender included. Who speaks is what
// the server knows, not what the client says.
func (r *roomChannel) shout(_ context.Context, in shout) (bennu.Empty, error) {
	return bennu.Empty{}, r.Broadcast("shout", shouted{r.name, in.Body, r.node(), time.Now().UTC().Truncate(time.Millisecond)})
}

// checkLength wants 1 to limit characters that are not all blank.
func checkLength(field, text string, limit int) error {
	if strings.TrimSpace(text) == "" {
		return bennu.Errorf("%s must not be blank", field)
	}
	if utf8.RuneCountInString(text) > limit {
		return bennu.Errorf("%s must have at most %d characters", field, limit)
	}
	return nil
}
