package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

const lobby = "room:lobby"

type (
	list = channeltest.PresenceState[seat]
	diff = channeltest.PresenceDiff[seat]
)

// wantState expects presence_state with these users: "ann(phone here)".
func wantState(t *testing.T, room *channeltest.Channel, want ...string) {
	t.Helper()
	got := describe(t, "", channeltest.ExpectPush[list](t, room, "presence_state"))
	if !slices.Equal(got, want) {
		t.Fatalf("state %q, want %q", got, want)
	}
}

// wantDiff expects presence_diff with these changes: "+ann(phone typing)".
func wantDiff(t *testing.T, room *channeltest.Channel, want ...string) {
	t.Helper()
	d := channeltest.ExpectPush[diff](t, room, "presence_diff")
	got := append(describe(t, "+", d.Joins), describe(t, "-", d.Leaves)...)
	if !slices.Equal(got, want) {
		t.Fatalf("diff %q, want %q", got, want)
	}
}

func describe(t *testing.T, sign string, l list) (all []string) {
	t.Helper()
	for _, user := range slices.Sorted(maps.Keys(l)) {
		for _, s := range l[user].Metas {
			if s.Since.IsZero() {
				t.Errorf("%s has no time", user)
			}
			all = append(all, sign+user+"("+s.Device+" "+s.Status+")")
		}
	}
	return all
}

func TestWhoIsHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := start(t)
		annsPhone := endpoint.Connect(t, as("ann"))
		ann := annsPhone.Join(t, lobby, arrival{"phone"})
		wantState(t, ann)
		wantDiff(t, ann, "+ann(phone here)")
		ann.ExpectPush(t, "came", person{"ann"})

		bob := endpoint.Connect(t, as("bob")).Join(t, lobby, arrival{"laptop"})
		wantState(t, bob, "ann(phone here)")
		for _, room := range []*channeltest.Channel{ann, bob} {
			wantDiff(t, room, "+bob(laptop here)")
			room.ExpectPush(t, "came", person{"bob"})
		}

		// Another tab is another meta of the same user, so nobody comes or leaves.
		annsTablet := endpoint.Connect(t, as("ann"))
		tab := annsTablet.Join(t, lobby, arrival{"tablet"})
		wantState(t, tab, "ann(phone here)", "bob(laptop here)")
		for _, room := range []*channeltest.Channel{ann, bob, tab} {
			wantDiff(t, room, "+ann(tablet here)")
		}
		annsTablet.Drop(t)
		for _, room := range []*channeltest.Channel{ann, bob} {
			wantDiff(t, room, "-ann(tablet here)")
			room.ExpectNoPush(t)
		}

		// A lost connection counts as a leave.
		annsPhone.Drop(t)
		wantDiff(t, bob, "-ann(phone here)")
		bob.ExpectPush(t, "left", person{"ann"})
		bob.Leave(t)
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint := start(t)
		bob := endpoint.Connect(t, as("bob")).Join(t, lobby, arrival{"laptop"})
		wantDiff(t, bob, "+bob(laptop here)") // or else ann's may come first
		ann := endpoint.Connect(t, as("ann")).Join(t, lobby, arrival{"phone"})
		wantDiff(t, bob, "+ann(phone here)")

		ann.Push(t, "status", status{"typing"}).ExpectOK(t)
		wantDiff(t, bob, "+ann(phone typing)", "-ann(phone here)")
		ann.Push(t, "status", status{"typing"}).ExpectOK(t)
		bob.ExpectNoPush(t, "presence_diff")
		if err := ann.Push(t, "status", status{"flying"}).ExpectError(t); err.Reason != "status must be one of here, typing, away" {
			t.Errorf("flying: %v", err)
		}
		ann.Push(t, "status", status{"away"}).ExpectOK(t)
		wantDiff(t, bob, "+ann(phone away)", "-ann(phone typing)")

		// In the bubble no time passes between the updates, so the limit is reached.
		var replies []*channeltest.Pushed
		for i := range 1000 {
			replies = append(replies, ann.Push(t, "status", status{statuses[i%2]}))
		}
		if err := replies[len(replies)-1].ExpectError(t); err.Reason != "not so often" {
			t.Errorf("the last of many: %v", err)
		}
	})
}

func TestWho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := start(t).Connect(t, as("ann"))
		room := client.Join(t, lobby, bennu.Raw(`{"device":"phone"}`))
		wantDiff(t, room, "+ann(phone here)")
		room.ExpectPush(t, "came", bennu.Raw(`{"user":"ann"}`))
		room.Push(t, "status", bennu.Raw(`{"status":"away"}`)).ExpectOK(t)
		room.Push(t, "who", bennu.Raw(`{"user":"ann"}`)).ExpectReply(t,
			bennu.Raw(`[{"device":"phone","status":"away","since":"2000-01-01T00:00:00Z"}]`))
		room.Push(t, "who", person{"cy"}).ExpectReply(t, bennu.Raw(`[]`))
		client.Join(t, "room:other", arrival{"phone"}).Push(t, "who", person{"bob"}).ExpectReply(t, bennu.Raw(`[]`))
	})
}

func TestLongDevice(t *testing.T) {
	client := start(t).Connect(t, as("ann"))
	if err := client.ExpectJoinRefused(t, lobby, arrival{strings.Repeat("x", 65)}); err.Reason != "device must have at most 64 bytes" {
		t.Errorf("refused with %v", err)
	}
}
