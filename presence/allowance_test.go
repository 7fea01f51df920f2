package presence_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// TestRateOutlivesChannels lets clients leave and join, and connect again: they may make no more
// changes than a client that stays.
func TestRateOutlivesChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := pubsub.NewLocal()
		here := startPresence(t, ps, presence.Options[person]{Limits: presence.Limits{Burst: 20, Rate: 2}})
		tracked := 0
		rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
			switch _, err := here.Track(ch, "k", person{}); {
			case err == nil:
				tracked++
			case !errors.Is(err, presence.ErrTooOften):
				t.Error(err)
			}
			return ch, bennu.Empty{}, nil
		})
		users := bennu.SocketHandler{ID: func(s *bennu.Socket) string { id, _ := s.Assigned("id").(string); return id }}
		users.Connect = func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
			s.Assign("id", info.Params["id"])
			return nil
		}
		users.Limits.JoinBurst = bennu.Unlimited
		users.Channel("room:*", rooms)
		e := channeltest.Mount(t, &users, &bennu.EndpointOptions{PubSub: ps, Logger: slog.New(slog.DiscardHandler)})
		comeAndGo := func(c *channeltest.Client) int {
			tracked = 0
			for range 50 {
				c.Join(t, "room:1", nil).Leave(t)
			}
			e.Settle(t)
			return tracked
		}
		for _, id := range []string{"", "ann"} {
			c := e.Connect(t, &channeltest.Options{Params: url.Values{"id": {id}}})
			if n := comeAndGo(c); n != 20 {
				t.Errorf("id %q: %d changes at once, want 20", id, n)
			}
			time.Sleep(5 * time.Second)
			if n := comeAndGo(c); n != 10 {
				t.Errorf("id %q: %d changes after 5 s, want 10", id, n)
			}
			c.Close(t)
			c = e.Connect(t, &channeltest.Options{Params: url.Values{"id": {id}}})
			if n, want := comeAndGo(c), map[string]int{"": 20, "ann": 0}[id]; n != want {
				t.Errorf("id %q: %d changes after it has connected again, want %d", id, n, want)
			}
			time.Sleep(time.Minute)
			if n := comeAndGo(c); n != 20 {
				t.Errorf("id %q: %d changes after a minute, want 20", id, n)
			}
		}
		here.Close()
	})
}
