package docs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/client/presence"
	"github.com/bennu-go/bennu/internal/waittest"
)

// docs/client.md, from its first block to its last.
func TestClient(t *testing.T) {
	url := server(t, new(bennu.SocketHandler))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := dial(ctx, t, url); err != nil {
		t.Error(err)
	}
	if err := open(ctx, url); err != nil {
		t.Error(err)
	}
	for _, o := range []*client.Options{polling(), falling()} {
		socket, err := client.Dial(ctx, url, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := socket.Close(); err != nil {
			t.Error(err)
		}
	}
}

func dial(ctx context.Context, t *testing.T, url string) error {
	socket, err := client.Dial(ctx, url, &client.Options{
		Params: map[string]any{"locale": "de"},
	})
	if err != nil {
		return err
	}
	defer socket.Close()
	return talk(ctx, t, socket)
}

func open(ctx context.Context, url string) error {
	socket, err := client.New(url, nil)
	if err != nil {
		return err
	}
	defer socket.Close()
	socket.Connect()
	return socket.Open(ctx)
}

func talk(ctx context.Context, t *testing.T, socket *client.Socket) error {
	room := socket.Channel("room:lobby", map[string]any{"name": "ada"})
	heard, frames, people := make(chan Shout, 10), make(chan []byte, 1), make(chan int, 10)
	log := func(string, error) {}
	show := func(list map[string]presence.Entry[Meta]) { people <- len(list) }
	came, went := func(string) {}, func(string) {}
	hear := func(s Shout) { heard <- s }
	reload := func() {}

	off := client.On(room, "shout", func(s Shout) { hear(s) })
	room.OnError(func(err error) { log("down, and will join again", err) })
	room.OnClose(func(err error) { log("has ended", err) })

	here := presence.New[Meta](room, nil) // of client/presence, before Join
	here.OnJoin(func(c presence.Change[Meta]) { came(c.Key) })
	here.OnLeave(func(c presence.Change[Meta]) { went(c.Key) })
	here.OnSync(func() { show(here.List()) })

	room.Resume(func(r client.Resumed) { // before Join
		if r.Status == client.ResumeLost {
			reload()
		}
	})

	client.On(room, "frame", func(b []byte) { frames <- b })

	welcome, err := client.Join[Welcome](ctx, room)
	if err != nil || welcome.Name != "ada" {
		return errors.Join(err, errors.New("welcome to "+welcome.Name))
	}
	answer, err := client.Push[Answer](ctx, room, "ask", Question{"why?"})
	if err != nil || answer.Text != "because" {
		return errors.Join(err, errors.New("the answer is "+answer.Text))
	}
	err = room.Send("typing", nil) // does not wait for a reply
	if err != nil {
		return err
	}
	jpeg := []byte("jpeg")
	thumb, err := client.Push[[]byte](ctx, room, "resize", jpeg)
	if err != nil || string(thumb) != "j" || string(waittest.Next(t, "a frame comes", frames)) != "jpeg" {
		return errors.Join(err, errors.New("the image is "+string(thumb)))
	}
	for waittest.Next(t, "one user is present", people) != 1 {
	}
	iterated := make(chan error, 1)
	go func() { iterated <- listen(ctx, room) }()
	for end := false; !end; {
		if _, err := room.Push(ctx, "shout", Shout{"hello"}); err != nil {
			return err
		}
		select {
		case err := <-iterated:
			if err != nil {
				return err
			}
			end = true
		case <-heard:
		}
	}
	off()
	return room.Leave(ctx)
}

func listen(ctx context.Context, room *client.Channel) error {
	for m, err := range room.Events(ctx, "shout", "whisper") {
		if err != nil {
			return err // the channel ended, ctx ended, or the loop was too slow
		}
		if m.Event == "shout" {
			return nil
		}
	}
	return errors.New("it does not end by itself")
}

func polling() *client.Options {
	return &client.Options{Transport: "longpoll"}
}

func falling() *client.Options {
	return &client.Options{FallbackAfter: 2500 * time.Millisecond}
}
