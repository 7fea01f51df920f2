package client_test

import (
	"testing"

	"github.com/bennu-go/bennu/client"
)

func TestJoinPushLeave(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		ch := s.Channel("room:reply", object{"a": 1})
		got, err := client.Join[object](t.Context(), ch)
		if err != nil || got["got"].(object)["a"] != 1.0 {
			t.Fatalf("join: %v, %v", got, err)
		}
		events := make(chan object, 1)
		client.On(ch, "bc", func(o object) { events <- o })
		if out, err := client.Push[object](t.Context(), ch, "echo", object{"x": "y"}); err != nil || out["x"] != "y" {
			t.Fatalf("echo: %v, %v", out, err)
		}
		if _, err := ch.Push(t.Context(), "bc", object{"n": 1}); err != nil {
			t.Fatal(err)
		}
		if o := next(t, "the broadcast", events); o["n"] != 1.0 {
			t.Errorf("broadcast %v", o)
		}
		if err := ch.Leave(t.Context()); err != nil {
			t.Errorf("leave: %v", err)
		}
		if ch.State() != client.StateClosed {
			t.Errorf("state %v after leaving", ch.State())
		}
	})
}
