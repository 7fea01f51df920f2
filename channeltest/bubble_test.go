package channeltest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// A reply after an hour of fake time comes at once, and not a moment of that time earlier.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := make(chan error, 1)
		e := channeltest.Mount(t, rooms(ends), quiet)
		ann := e.Connect(t, nil)
		room := ann.Join(t, "room:1", person{"ann"})
		later := room.Push(t, "later", nil)
		later.ExpectNoReply(t)
		time.Sleep(time.Hour - time.Nanosecond)
		later.ExpectNoReply(t)
		time.Sleep(time.Nanosecond)
		later.ExpectStatus(t, "late")

		room.Push(t, "later", nil) // its reply is not expected
		room.Leave(t)
		<-ends
		ann.Join(t, "room:1", person{"ann"}).Push(t, "later", nil)
		ann.Close(t)
		<-ends
	})
}

// In a bubble it is known at once that a push does not come, and fake time has passed.
func TestBubbleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got := failure(t, func(tb testing.TB) {
			e := mount(tb)
			e.Timeout = time.Hour
			channeltest.ExpectPush[said](tb, e.Connect(tb, nil).Join(tb, "room:1", person{"ann"}), "said")
		})
		if passed := time.Since(start); passed != time.Hour || !strings.Contains(got, "did not come within 1h0m0s") {
			t.Errorf("after %v: %s", passed, got)
		}
	})
}

// In a bubble the expiry of a login can be tested, which takes hours.
func TestBubbleExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := rooms(nil)
		users.ID = func(s *bennu.Socket) string { s.ExpireAt(time.Now().Add(time.Hour)); return "" }
		ann := channeltest.Mount(t, users, quiet).Connect(t, nil)
		room := ann.Join(t, "room:1", person{"ann"})
		time.Sleep(2 * time.Hour)
		ann.ExpectDisconnect(t)
		room.ExpectNoPush(t, "said")
	})
}

// present is a channel whose client is tracked by presence.
type present struct {
	*bennu.Channel
	name string
}

type arrived struct{}

func joinPresent(_ context.Context, ch *bennu.Channel, in person) (*present, bennu.Empty, error) {
	return &present{ch, in.Name}, bennu.Empty{}, ch.Send(arrived{})
}

func TestBubblePresence(t *testing.T) {
	type meta struct {
		Device string `json:"device"`
	}
	synctest.Test(t, func(t *testing.T) {
		ps := pubsub.NewLocal()
		here, err := presence.New[meta](t.Context(), ps, nil)
		if err != nil {
			t.Fatal(err)
		}
		d := bennu.Define(joinPresent)
		bennu.OnInfo(d, func(p *present, _ context.Context, _ arrived) error {
			if err := here.PushState(p.Channel); err != nil {
				return err
			}
			_, err := here.Track(p.Channel, p.name, meta{"phone"})
			return err
		})
		var users bennu.SocketHandler
		users.Channel("room:*", d)
		e := channeltest.Mount(t, &users, &bennu.EndpointOptions{PubSub: ps, Logger: quiet.Logger})
		e.OnShutdown(ps.Close)
		e.OnShutdown(func(context.Context) error { return here.Close() })

		ann := e.Connect(t, nil)
		first := ann.Join(t, "room:1", person{"ann"})
		if got := channeltest.ExpectPush[channeltest.PresenceState[meta]](t, first, "presence_state"); len(got) != 0 {
			t.Errorf("state for the first: %v", got)
		}
		channeltest.ExpectPush[channeltest.PresenceDiff[meta]](t, first, "presence_diff")
		second := e.Connect(t, nil).Join(t, "room:1", person{"bob"})
		got := channeltest.ExpectPush[channeltest.PresenceState[meta]](t, second, "presence_state")
		if len(got) != 1 || got["ann"].Metas[0].Device != "phone" {
			t.Errorf("state for the second: %v", got)
		}
		ann.Close(t)
		channeltest.ExpectPush(t, second, "presence_diff", func(d channeltest.PresenceDiff[meta]) bool {
			return len(d.Leaves["ann"].Metas) == 1
		})
	})
}
