package main

import (
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/examples/hello"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

type person struct {
	Name string `json:"name"`
}

type shouted struct{ Name, Body, Node string }

// Two nodes in one test, with a broker in the test: channels work the same if their clients
// are on different nodes.
func TestTwoNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broker pubsubtest.Memory
		start := func(name string) *channeltest.Endpoint {
			ps := pubsubtest.Start(t, broker.Node(t, name), nil)
			here, err := presence.New[hello.Here](t.Context(), ps, nil)
			if err != nil {
				t.Fatal(err)
			}
			return channeltest.Start(t, newEndpoint(ps, here, []byte("a secret of more than sixteen bytes")))
		}
		a, b := start("a"), start("b")
		ani := a.Connect(t, nil).Join(t, "room:x", person{"Ani"})
		ani.ExpectPush(t, "arrived", person{"Ani"})
		client := b.Connect(t, nil)
		tui := client.Join(t, "room:x", person{"Tui"})
		ani.ExpectPush(t, "arrived", person{"Tui"})

		tui.Push(t, "shout", map[string]string{"body": "hi"}).ExpectOK(t)
		if got := channeltest.ExpectPush[shouted](t, ani, "shout"); got != (shouted{"Tui", "hi", "b"}) {
			t.Errorf("Ani hears %+v", got)
		}
		ani.ExpectNoPush(t, "shout")

		channeltest.ExpectPush(t, ani, "presence_diff", func(d channeltest.PresenceDiff[hello.Here]) bool {
			return len(d.Joins["Tui"].Metas) == 1 && d.Joins["Tui"].Metas[0].Node == "b"
		})
		client.Drop(t)
		channeltest.ExpectPush(t, ani, "presence_diff", func(d channeltest.PresenceDiff[hello.Here]) bool {
			return len(d.Leaves["Tui"].Metas) == 1
		})
		ani.ExpectPush(t, "left", person{"Tui"})
	})
}
