package hello

import (
	"encoding/json"
	"testing"
	"time"
)

func TestRoom(t *testing.T) {
	url := newServer(t)
	ani, tui := dial(t, url), dial(t, url)
	ani.join("room:court", `{"name":"Ani"}`)
	if got := string(ani.wait("room:court", "arrived").payload); got != `{"name":"Ani"}` {
		t.Errorf("arrived %s", got)
	}
	tui.join("room:court", `{"name":"Tui"}`)
	if got := string(ani.wait("room:court", "arrived").payload); got != `{"name":"Tui"}` {
		t.Errorf("arrived %s", got)
	}
	// Who comes second finds the first there.
	state := map[string]any{}
	if err := json.Unmarshal(tui.wait("room:court", "presence_state").payload, &state); err != nil || len(state) != 1 || state["Ani"] == nil {
		t.Errorf("state %v, %v", state, err)
	}

	tui.want("room:court", "shout", `{"body":"a <b> & a c"}`, "ok", `{}`)
	for _, c := range []*client{ani, tui} {
		var got shouted
		if err := json.Unmarshal(c.wait("room:court", "shout").payload, &got); err != nil {
			t.Fatal(err)
		}
		if got.Name != "Tui" || got.Body != "a <b> & a c" || time.Since(got.At) > time.Hour {
			t.Errorf("shout %+v", got)
		}
	}
	tui.want("room:court", "shout", `{"body":"  "}`, "error", `{"reason":"body must not be blank"}`)

	// Going without a word is noticed like a leave.
	tui.conn.Close()
	if got := string(ani.wait("room:court", "left").payload); got != `{"name":"Tui"}` {
		t.Errorf("left %s", got)
	}
}

func TestRoomsAreApart(t *testing.T) {
	url := newServer(t)
	ani, tui := dial(t, url), dial(t, url)
	ani.join("room:court", `{"name":"Ani"}`)
	tui.join("room:garden", `{"name":"Tui"}`)
	ani.want("room:court", "shout", `{"body":"one"}`, "ok", `{}`)
	tui.want("room:garden", "shout", `{"body":"two"}`, "ok", `{}`)
	tui.want("room:garden", "phx_leave", `{}`, "ok", `{}`)
	for _, m := range tui.unseen {
		if m.topic != "room:garden" {
			t.Errorf("heard %s on %s", m.event, m.topic)
		}
	}
}
