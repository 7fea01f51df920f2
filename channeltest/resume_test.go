package channeltest_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// keep mounts rooms whose last five messages are kept.
func keep(t *testing.T) *channeltest.Endpoint { return keepBy(t, "") }

// keepBy is keep with another name for the position in a join.
func keepBy(t *testing.T, sinceParam string) *channeltest.Endpoint {
	t.Helper()
	ps, logger := pubsub.NewLocal(), slog.New(slog.DiscardHandler)
	log, err := history.New(t.Context(), ps, &history.Options{Topics: []history.Topic{{Pattern: "room:*", Size: 5}}, SinceParam: sinceParam, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	e := channeltest.Mount(t, rooms(nil), &bennu.EndpointOptions{PubSub: ps, History: log, Logger: logger})
	e.OnShutdown(log.Close)
	return e
}

// params are those of a client that resumes.
type params struct {
	Name  string  `json:"name"`
	Since *string `json:"since"`
}

// tell broadcasts what was said by name.
func tell(t *testing.T, e *channeltest.Endpoint, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if err := e.Broadcast("room:1", "said", said{"all", body}); err != nil {
			t.Fatal(err)
		}
	}
}

// hears expects what tell broadcasts.
func hears(t *testing.T, ch *channeltest.Channel, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		ch.ExpectPush(t, "said", said{"all", body})
	}
	ch.ExpectNoPush(t)
}

// TestCut cuts a client, which resumes, in a bubble and outside of one.
func TestCut(t *testing.T) {
	test := func(t *testing.T) {
		e := keep(t)
		ann := e.Connect(t, &channeltest.Options{Name: "ann"})
		other := e.Connect(t, nil).Join(t, "room:1", person{"other"})
		room := ann.Join(t, "room:1", params{Name: "ann"})
		if r := room.ExpectResumed(t, "new"); r.Position == "" || r.Count != 0 || r.Reason != "" {
			t.Errorf("new: %+v", r)
		}
		tell(t, e, "1")
		hears(t, room, "1")
		ann.Cut(t)
		ann.Cut(t) // has no effect
		tell(t, e, "2", "3")
		old := room
		room = room.Rejoin(t)
		if r := room.ExpectResumed(t, "recovered"); r.Position == "" {
			t.Errorf("recovered: %+v", r)
		}
		if r := room.ExpectResumed(t, "live"); r.Count != 2 {
			t.Errorf("live: %+v", r)
		}
		hears(t, room, "2", "3")
		tell(t, e, "4")
		hears(t, room, "4")
		old.ExpectNoPush(t)
		hears(t, other, "1", "2", "3", "4")

		// Nothing was missed, also with a binary message, which has no ref.
		room.Push(t, "bytes", []byte("x"))
		room.ExpectPush(t, "cast", []byte("x"))
		room.ExpectPush(t, "pushed", []byte("x"))
		ann.Cut(t)
		room = room.Rejoin(t)
		room.ExpectResumed(t, "recovered")
		room.ExpectNoPush(t)
		room.ExpectNoPush(t, "bennu:resume")

		// Too much was missed.
		ann.Cut(t)
		tell(t, e, "5", "6", "7", "8", "9", "10")
		room = room.Rejoin(t)
		if r := room.ExpectResumed(t, "lost"); r.Reason == "" || r.Position == "" {
			t.Errorf("lost: %+v", r)
		}
		tell(t, e, "11")
		hears(t, room, "11")

		// On one connection, after a crash.
		room.Push(t, "panic", nil)
		room.ExpectCrash(t)
		tell(t, e, "12")
		room = room.Rejoin(t)
		room.ExpectResumed(t, "recovered")
		room.ExpectResumed(t, "live")
		hears(t, room, "12")

		// Joined as one that is new.
		ann.Cut(t)
		room = ann.Join(t, "room:1", params{Name: "ann"})
		room.ExpectResumed(t, "new")
		room.ExpectNoPush(t)
	}
	t.Run("outside", test)
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, test) })
}

// TestCutWithoutHistory connects again with the same options, also after the server has disconnected.
func TestCutWithoutHistory(t *testing.T) {
	e := mount(t)
	ann := e.Connect(t, &channeltest.Options{Name: "ann", Params: map[string][]string{"id": {"7"}}})
	room := ann.Join(t, "room:1", person{"ann"})
	if err := e.Disconnect("7"); err != nil {
		t.Fatal(err)
	}
	ann.ExpectDisconnect(t)
	ann.Cut(t)
	room = room.Rejoin(t)
	room.Push(t, "echo", 1).ExpectReply(t, 1)
	if err := e.Disconnect("7"); err != nil {
		t.Fatal(err)
	}
	ann.ExpectDisconnect(t)
}

// TestCutFailures shows what a test is told that uses what was cut.
func TestCutFailures(t *testing.T) {
	e := keep(t)
	ann := e.Connect(t, nil)
	room := ann.Join(t, "room:1", params{Name: "ann"})
	pushed := room.Push(t, "whisper", said{})
	fails := func(want string, f func(tb testing.TB)) {
		t.Helper()
		if said := failure(t, f); !strings.Contains(said, want) {
			t.Errorf("the failure is %.300s, want %q", said, want)
		}
	}
	fails("want room:1 to be resumed as lost: it is {\"status\":\"new\"}", func(tb testing.TB) { room.ExpectResumed(tb, "lost") })
	ann.Cut(t)
	for _, again := range []bool{false, true} {
		want := "the connection was cut"
		if again {
			room.Rejoin(t)
			want = "the connection of the channel was cut"
		}
		fails(want, func(tb testing.TB) { room.Push(tb, "echo", 1) })
		fails(want, func(tb testing.TB) { room.ExpectPush(tb, "said", nil) })
		fails(want, func(tb testing.TB) { room.ExpectResumed(tb, "live") })
		fails(want, func(tb testing.TB) { pushed.ExpectOK(tb) })
	}
	stranger := e.Connect(t, nil)
	list := stranger.Join(t, "room:1", bennu.Raw(`{"name":"x","since":""}`))
	list.ExpectResumed(t, "new")
}

// TestMissed is in docs/testing.md.
func TestMissed(t *testing.T) {
	endpoint := keep(t)
	client := endpoint.Connect(t, nil)
	room := client.Join(t, "room:1", bennu.Raw(`{"name":"ann","since":null}`))
	room.ExpectResumed(t, "new")
	client.Cut(t)
	if err := endpoint.Broadcast("room:1", "said", said{"bob", "hello?"}); err != nil {
		t.Fatal(err)
	}
	room = room.Rejoin(t)
	room.ExpectResumed(t, "recovered")
	room.ExpectPush(t, "said", said{"bob", "hello?"})
	room.ExpectResumed(t, "live")
}

// TestRejoinBySinceParam resumes where the position has another name.
func TestRejoinBySinceParam(t *testing.T) {
	e := keepBy(t, "after")
	ann := e.Connect(t, nil)
	room := ann.Join(t, "room:1", bennu.Raw(`{"name":"ann","since":7,"after":null}`))
	room.ExpectResumed(t, "new")
	ann.Cut(t)
	tell(t, e, "one")
	room = room.Rejoin(t)
	room.ExpectResumed(t, "recovered")
	room.ExpectPush(t, "said", said{"all", "one"})
	room.ExpectResumed(t, "live")
}
