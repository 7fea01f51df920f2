package main

import (
	"fmt"
	"testing"
)

const lobby = "room:lobby"

func TestWhoIsHere(t *testing.T) {
	url := serve(t)
	ann := dial(t, url, "ann")
	ann.join(lobby, `{"device":"phone"}`)
	ann.next("presence_state {}")
	ann.next("presence_diff +ann(phone here)")
	ann.next(`came {"user":"ann"}`)

	bob := dial(t, url, "bob")
	bob.join(lobby, `{"device":"laptop"}`)
	bob.next("presence_state ann(phone here)")
	for _, c := range []*client{ann, bob} {
		c.next("presence_diff +bob(laptop here)")
		c.next(`came {"user":"bob"}`)
	}

	// Another tab is another meta, and nobody comes or goes with it.
	tab := dial(t, url, "ann")
	tab.join(lobby, `{"device":"tablet"}`)
	tab.next("presence_state ann(phone here) bob(laptop here)")
	for _, c := range []*client{ann, bob, tab} {
		c.next("presence_diff +ann(tablet here)")
	}
	tab.Abort()
	for _, c := range []*client{ann, bob} {
		c.next("presence_diff -ann(tablet here)")
	}

	// Going without a word is noticed like a leave.
	ann.Abort()
	bob.next("presence_diff -ann(phone here)")
	bob.next(`left {"user":"ann"}`)
	bob.Want(lobby, "phx_leave", `{}`, "ok", `{}`)
}

func TestStatus(t *testing.T) {
	url := serve(t)
	ann, bob := dial(t, url, "ann"), dial(t, url, "bob")
	bob.join(lobby, `{"device":"laptop"}`)
	bob.until(`came {"user":"bob"}`)
	ann.join(lobby, `{"device":"phone"}`)
	bob.until(`came {"user":"ann"}`)

	ann.Want(lobby, "status", `{"status":"typing"}`, "ok", `{}`)
	bob.next("presence_diff +ann(phone typing) -ann(phone here)")
	ann.Want(lobby, "status", `{"status":"typing"}`, "ok", `{}`)
	ann.Want(lobby, "status", `{"status":"flying"}`, "error", `{"reason":"status must be one of here, typing, away"}`)
	ann.Want(lobby, "status", `{"status":"away"}`, "ok", `{}`)
	bob.next("presence_diff +ann(phone away) -ann(phone typing)")

	for i := 0; ; i++ {
		status, response := ann.Ask(lobby, "status", fmt.Sprintf(`{"status":%q}`, statuses[i%2]))
		if status == "error" {
			if want := `{"reason":"not so often"}`; response != want {
				t.Errorf("got %s, want %s", response, want)
			}
			break
		}
		if i == 10_000 {
			t.Fatal("there is no limit")
		}
	}
}

func TestWho(t *testing.T) {
	url := serve(t)
	ann := dial(t, url, "ann")
	ann.join(lobby, `{"device":"phone"}`)
	ann.until(`came {"user":"ann"}`)
	status, response := ann.Ask(lobby, "who", `{"user":"ann"}`)
	if got := status + " " + since.ReplaceAllString(response, ""); got != `ok [{"device":"phone","status":"here"}]` {
		t.Errorf("who is ann: %s", got)
	}
	ann.Want(lobby, "who", `{"user":"cy"}`, "ok", `[]`)
	ann.join("room:other", `{"device":"phone"}`)
	ann.Want("room:other", "who", `{"user":"bob"}`, "ok", `[]`)
}

func TestLongDevice(t *testing.T) {
	ann := dial(t, serve(t), "ann")
	ann.Want(lobby, "phx_join", fmt.Sprintf(`{"device":"%065d"}`, 0), "error", `{"reason":"device must have at most 64 bytes"}`)
}
