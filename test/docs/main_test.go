// Package docs has only tests: the code that pages of docs show and no program has, each
// block of it to the letter, and the scripts for clients, run in Node.
package docs

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) { waittest.Main(m) }

// A Welcome, a Question, an Answer, a Shout and a Meta are what the room of these tests
// talks of.
type (
	Welcome  struct{ Name string }
	Question struct{ Text string }
	Answer   struct{ Text string }
	Shout    struct{ Body string }
	Meta     struct{ Name string }
)

// room is a joined topic of the server of these tests.
type room struct{ *bennu.Channel }

// server runs until the test ends, and returns the URL of its mount.
func server(t *testing.T, users *bennu.SocketHandler) (url string) {
	t.Helper()
	ps := pubsub.NewLocal()
	keep, err := history.New(t.Context(), ps, &history.Options{Topics: []history.Topic{{Pattern: "room:*"}}})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{
		PubSub: ps, History: keep, Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited,
	})
	endpoint.OnShutdown(ps.Close)
	endpoint.OnShutdown(keep.Close)
	here, err := presence.New[Meta](t.Context(), ps, nil)
	if err != nil {
		t.Fatal(err)
	}
	endpoint.OnShutdown(func(context.Context) error { return here.Close() })
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in Welcome) (*room, Welcome, error) {
		return &room{ch}, in, ch.Send(in)
	})
	bennu.OnInfo(d, func(r *room, _ context.Context, in Welcome) error {
		if err := here.PushState(r.Channel); err != nil {
			return err
		}
		_, err := here.Track(r.Channel, "user:"+in.Name, Meta(in))
		return err
	})
	bennu.On(d, "ask", func(_ *room, _ context.Context, q Question) (Answer, error) { return Answer{"because"}, nil })
	bennu.On(d, "typing", func(*room, context.Context, bennu.Empty) (bennu.NoReply, error) { return bennu.NoReply{}, nil })
	bennu.On(d, "shout", func(r *room, _ context.Context, s Shout) (bennu.Empty, error) {
		return bennu.Empty{}, r.Broadcast("shout", s)
	})
	bennu.On(d, "draw", func(r *room, _ context.Context, image []byte) (bennu.Empty, error) {
		return bennu.Empty{}, r.Broadcast("drawn", image)
	})
	bennu.On(d, "resize", func(r *room, _ context.Context, image []byte) ([]byte, error) {
		return image[:1], r.Push("frame", image)
	})
	users.Channel("room:*", d)
	users.Channel("ping:*", pings())
	endpoint.Socket("/socket", users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})
	s := httptest.NewServer(endpoint)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return s.URL + "/socket"
}

// pings answers as README's first program does.
func pings() *bennu.Definition[struct{}] {
	d := bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (struct{}, bennu.Empty, error) {
		return struct{}{}, bennu.Empty{}, nil
	})
	bennu.On(d, "ping", func(struct{}, context.Context, bennu.Empty) (map[string]string, error) {
		return map[string]string{"ping": "pong"}, nil
	})
	return d
}
