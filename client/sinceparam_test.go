package client_test

import (
	"log/slog"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/pubsub"
)

// TestSinceParam resumes at a server that has another name for the position.
func TestSinceParam(t *testing.T) {
	ps, logger := pubsub.NewLocal(), slog.New(slog.DiscardHandler)
	log, err := history.New(t.Context(), ps, &history.Options{Topics: []history.Topic{{Pattern: "room:*"}}, SinceParam: "after", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	var users bennu.SocketHandler
	users.Channel("room:*", quietRooms())
	e := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log, Logger: logger})
	e.Socket("/socket", &users, nil)
	e.OnShutdown(log.Close)
	url := "http://" + servetest.Serve(t, e.Serve) + "/socket"

	s := wsV2.dial(t, url, &client.Options{SinceParam: "after", RejoinAfter: soon})
	ch, got := s.Channel("room:1", object{"since": 7}), &numbers{}
	got.listen(ch)
	if _, err := ch.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a position", func() bool { _, told := got.count(); return told == 1 })
	publish(t, e, 0, false)
	eventually(t, "a message", func() bool { messages, _ := got.count(); return messages == 1 })
	at := ch.Position()
	publish(t, e, 1, false)
	other, rest := s.Channel("room:1", object{"after": at}), &numbers{}
	other.Resume(rest.resumed)
	client.On(other, "n", func(v struct{ N int }) { rest.add(v.N - 1) })
	if err := ch.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missed message", func() bool { messages, told := rest.count(); return messages == 1 && told == 2 })
	rest.want(t, 1)
	if rest.told[0].Status != client.ResumeRecovered {
		t.Errorf("told %+v", rest.told)
	}
}
