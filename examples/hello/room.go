package hello

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bennu-go/bennu"
)

// roomChannel is one person in one chat room.
type roomChannel struct {
	*bennu.Channel
	name string
}

func rooms() bennu.ChannelHandler {
	d := bennu.Define(joinRoom)
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
func joinRoom(_ context.Context, ch *bennu.Channel, in person) (*roomChannel, bennu.Empty, error) {
	return &roomChannel{ch, in.Name}, bennu.Empty{}, ch.Send(arrived{})
}

func (r *roomChannel) arrive(context.Context, arrived) error {
	return r.Broadcast("arrived", person{r.name})
}

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
	Node string    `json:"node,omitempty"` // of the one who speaks; a node that is alone has no name
	At   time.Time `json:"at"`
}

// shout goes to everybody in the room, the sender included. Who speaks is what
// the server knows, not what the client says.
func (r *roomChannel) shout(_ context.Context, in shout) (bennu.Empty, error) {
	node := r.Socket().Endpoint().PubSub().Node()
	return bennu.Empty{}, r.Broadcast("shout", shouted{r.name, in.Body, node, time.Now().UTC().Truncate(time.Millisecond)})
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
