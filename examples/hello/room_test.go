package hello

import (
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

func TestRoom(t *testing.T) {
	endpoint := channeltest.Start(t, newEndpoint(t))
	ani := endpoint.Connect(t, &channeltest.Options{Name: "Ani"}).Join(t, "room:court", bennu.Raw(`{"name":"Ani"}`))
	ani.ExpectPush(t, "arrived", bennu.Raw(`{"name":"Ani"}`))
	client := endpoint.Connect(t, &channeltest.Options{Name: "Tui"})
	tui := client.Join(t, "room:court", person{"Tui"})
	ani.ExpectPush(t, "arrived", person{"Tui"})

	if err := tui.Push(t, "shout", shout{"  "}).ExpectError(t); err.Reason != "body must not be blank" {
		t.Errorf("a shout of blanks: %v", err)
	}
	ani.ExpectNoPush(t, "shout")

	// A lost connection counts as a leave.
	client.Drop(t)
	ani.ExpectPush(t, "left", person{"Tui"})
}

func TestWhoComesSecondFindsTheFirst(t *testing.T) {
	endpoint := channeltest.Start(t, newEndpoint(t))
	endpoint.Connect(t, nil).Join(t, "room:court", person{"Ani"})
	tui := endpoint.Connect(t, nil).Join(t, "room:court", person{"Tui"})
	state := channeltest.ExpectPush[channeltest.PresenceState[Here]](t, tui, "presence_state")
	if len(state) != 1 || len(state["Ani"].Metas) != 1 {
		t.Errorf("state %v", state)
	}
}

func TestShout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where time begins with the year 2000
		endpoint := channeltest.Start(t, newEndpoint(t))
		ani := endpoint.Connect(t, nil).Join(t, "room:court", person{"Ani"})
		tui := endpoint.Connect(t, nil).Join(t, "room:court", person{"Tui"})

		tui.Push(t, "shout", bennu.Raw(`{"body":"a <b> & a \u2028c"}`)).ExpectOK(t)
		want := bennu.Raw(`{"name":"Tui","body":"a <b> & a \u2028c","at":"2000-01-01T00:00:00Z"}`)
		ani.ExpectPush(t, "shout", want)
		tui.ExpectPush(t, "shout", want)
	})
}

func TestRoomsAreApart(t *testing.T) {
	endpoint := channeltest.Start(t, newEndpoint(t))
	court := endpoint.Connect(t, nil).Join(t, "room:court", person{"Ani"})
	garden := endpoint.Connect(t, nil).Join(t, "room:garden", person{"Tui"})
	court.Push(t, "shout", shout{"one"}).ExpectOK(t)
	garden.ExpectNoPush(t, "shout")
	channeltest.ExpectPush(t, court, "shout", func(s shouted) bool { return s.Body == "one" })
}
