package channeltest_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// The package documentation shows tests of this endpoint.

type shout struct {
	Text string `json:"text"`
}

type shouted struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type shouter struct {
	*bennu.Channel
	name string
}

func newEndpoint() *bennu.Endpoint {
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, in person) (*shouter, bennu.Empty, error) {
		return &shouter{ch, in.Name}, bennu.Empty{}, nil
	})
	bennu.On(rooms, "shout", func(s *shouter, _ context.Context, in shout) (bennu.Empty, error) {
		return bennu.Empty{}, s.BroadcastFrom("shouted", shouted{s.name, in.Text})
	})
	games := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*shouter, bennu.Empty, error) {
		ch.Go(func(ctx context.Context) error {
			select {
			case <-time.After(time.Minute):
				return ch.Push("time is up", nil)
			case <-ctx.Done():
				return nil
			}
		})
		return &shouter{ch, ""}, bennu.Empty{}, nil
	})
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	users.Channel("game:*", games)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	endpoint.Socket("/socket", &users, nil)
	return endpoint
}

func TestShout(t *testing.T) {
	endpoint := channeltest.Start(t, newEndpoint())
	ann := endpoint.Connect(t, nil).Join(t, "room:lobby", person{"ann"})
	bob := endpoint.Connect(t, nil).Join(t, "room:lobby", person{"bob"})

	ann.Push(t, "shout", shout{"hi"}).ExpectOK(t)
	bob.ExpectPush(t, "shouted", shouted{"ann", "hi"})
	bob.ExpectNoPush(t)
}

func TestTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := channeltest.Start(t, newEndpoint()).Connect(t, nil).Join(t, "game:1", nil)
		time.Sleep(time.Minute)
		room.ExpectPush(t, "time is up", nil)
	})
}

type here struct {
	*bennu.Channel
	name string
}

type arrival struct{}

// TestWhoComesSecondFindsTheFirst is the pattern that the guides show. When Join returns, all
// callbacks that the join causes have run, in a bubble and outside of one.
func TestWhoComesSecondFindsTheFirst(t *testing.T) {
	check := func(t *testing.T) {
		ps := pubsub.NewLocal()
		present, err := presence.New[person](t.Context(), ps, nil)
		if err != nil {
			t.Fatal(err)
		}
		rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, in person) (*here, bennu.Empty, error) {
			return &here{ch, in.Name}, bennu.Empty{}, ch.Send(arrival{})
		})
		bennu.OnInfo(rooms, func(h *here, _ context.Context, _ arrival) error {
			if err := present.PushState(h.Channel); err != nil {
				return err
			}
			_, err := present.Track(h.Channel, h.name, person{h.name})
			return err
		})
		var users bennu.SocketHandler
		users.Channel("room:*", rooms)
		endpoint := channeltest.Mount(t, &users, &bennu.EndpointOptions{PubSub: ps})
		endpoint.OnShutdown(ps.Close)
		endpoint.OnShutdown(func(context.Context) error { return present.Close() })
		for i, name := range []string{"ann", "bob", "cy"} {
			ch := endpoint.Connect(t, nil).Join(t, "room:lobby", person{name})
			state := channeltest.ExpectPush[channeltest.PresenceState[person]](t, ch, "presence_state")
			if len(state) != i {
				t.Errorf("%s finds %v", name, state)
			}
		}
	}
	t.Run("plain", check)
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, check) })
}

// TestJoinGoesOn joins a channel whose handler of a message from its join function crashes.
func TestJoinGoesOn(t *testing.T) {
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, in person) (*here, bennu.Empty, error) {
		return &here{ch, in.Name}, bennu.Empty{}, ch.Send(arrival{})
	})
	bennu.OnInfo(rooms, func(*here, context.Context, arrival) error { panic("on arrival") })
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	endpoint := channeltest.Mount(t, &users, nil)
	endpoint.Connect(t, nil).Join(t, "room:lobby", person{"ann"}).ExpectCrash(t)
}
