package channeltest_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

const asked = "What was sent (->) and received (<-), in order; a * marks those that the test has expected:\n"

// The author of a test finds the fault with the messages of its failures, so they are tested.
func TestMessages(t *testing.T) {
	joined := func(t testing.TB, e *channeltest.Endpoint) *channeltest.Channel {
		return e.Connect(t, nil).Join(t, "room:1", person{"ann"})
	}
	const annJoins = `	client 1 ->   room:1 #1 phx_join {"name":"ann"}
	client 1 <- * room:1 reply to #1: ok {"name":"ann"}
`
	tests := []struct {
		name string
		test func(t testing.TB, e *channeltest.Endpoint)
		want string
	}{
		{"no push", func(t testing.TB, e *channeltest.Endpoint) {
			ann := e.Connect(t, &channeltest.Options{Name: "ann"}).Join(t, "room:1", person{"ann"})
			bob := e.Connect(t, &channeltest.Options{Name: "bob"}).Join(t, "room:1", person{"bob"})
			ann.Push(t, "say", said{Body: "hi"}).ExpectOK(t)
			bob.ExpectPush(t, "said", said{"ann", "hi"})
			ann.Push(t, "fail", nil).ExpectError(t)
			e.Timeout = time.Millisecond
			channeltest.ExpectPush[said](t, bob, "shouted")
		}, `channeltest: want push "shouted" on room:1 of bob: it did not come within 1ms
` + asked + `	ann ->   room:1 #1 phx_join {"name":"ann"}
	ann <- * room:1 reply to #1: ok {"name":"ann"}
	bob ->   room:1 #1 phx_join {"name":"bob"}
	bob <- * room:1 reply to #1: ok {"name":"bob"}
	ann ->   room:1 #2 say {"name":"","body":"hi"}
	ann <-   room:1 said {"name":"ann","body":"hi"}
	bob <- * room:1 said {"name":"ann","body":"hi"}
	ann <- * room:1 reply to #2: ok {}
	ann ->   room:1 #3 fail {}
	ann  !   room:1 a callback failed: no database
	ann <- * room:1 reply to #3: error {"reason":"internal"}
`},
		{"push of an event of the protocol", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "phx_leave", nil)
		}, `channeltest: want to push on room:1: event "phx_leave" belongs to the protocol; use another name; to join or leave, use Join and Leave
`},
		{"push without an event", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "", nil)
		}, `channeltest: want to push on room:1: an event must have a name; to join or leave, use Join and Leave
`},
		{"no push that there never is", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).ExpectNoPush(t, "phx_close")
		}, `channeltest: no push has this event: event "phx_close" belongs to the protocol; use another name; use ExpectClose and ExpectCrash for the ends of a channel
`},
		{"push that there never is", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).ExpectPush(t, "phx_error", nil)
		}, `channeltest: no push has this event: event "phx_error" belongs to the protocol; use another name; use ExpectClose and ExpectCrash for the ends of a channel
`},
		{"crash in place of a reply", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "panic", nil).ExpectOK(t)
		}, `channeltest: want reply to "panic" on room:1: the channel has crashed: bennu: callback panicked: bubble burst
		github.com/bennu-go/bennu/channeltest_test.burst(...)
			support_test.go
		github.com/bennu-go/bennu/channeltest_test.rooms.func7(...)
			support_test.go
` + asked + annJoins + `	client 1 ->   room:1 #2 panic {}
	client 1 <-   room:1 phx_error {"reason":"channel_crash"}  (bennu: callback panicked: bubble burst)
`},
		{"crash that nobody expects", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "panic", nil)
		}, `channeltest: the channel room:1 of client 1 crashed; call ExpectCrash if it should: bennu: callback panicked: bubble burst
		github.com/bennu-go/bennu/channeltest_test.burst(...)
			support_test.go
		github.com/bennu-go/bennu/channeltest_test.rooms.func7(...)
			support_test.go
` + asked + annJoins + `	client 1 ->   room:1 #2 panic {}
	client 1 <-   room:1 phx_error {"reason":"channel_crash"}  (bennu: callback panicked: bubble burst)
	client 1  !   the client closes its connection
`},
		{"unknown event", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "sya", nil).ExpectOK(t)
		}, `channeltest: want reply to "sya" on room:1: the channel has crashed: bennu: no handler for this event: "sya"
` + asked + annJoins + `	client 1 ->   room:1 #2 sya {}
	client 1 <-   room:1 phx_error {"reason":"channel_crash"}  (bennu: no handler for this event: "sya")
`},
		{"panic in Terminate", func(t testing.TB, e *channeltest.Endpoint) {
			e.Connect(t, nil).Join(t, "room:1", person{"sloppy"})
		}, `channeltest: after the end of its channel, in Terminate or a callback that went on: bennu: callback panicked: in Terminate
		github.com/bennu-go/bennu/channeltest_test.(*room).Terminate(...)
			support_test.go
`},
		{"failing join", func(t testing.TB, e *channeltest.Endpoint) {
			e.Connect(t, nil).Join(t, "room:1", person{"broken"})
		}, `channeltest: want to join room:1: refused with {"reason":"internal"}
` + asked + `	client 1 ->   room:1 #1 phx_join {"name":"broken"}
	client 1  !   room:1 a callback failed: no database
	client 1 <- * room:1 reply to #1: error {"reason":"internal"}
`},
		{"panic in Join", func(t testing.TB, e *channeltest.Endpoint) {
			e.Connect(t, nil).Join(t, "room:1", person{"panic"})
		}, `channeltest: want to join room:1: refused with {"reason":"join crashed"}: bennu: callback panicked: in join
		github.com/bennu-go/bennu/channeltest_test.rooms.func1(...)
			support_test.go
` + asked + `	client 1 ->   room:1 #1 phx_join {"name":"panic"}
	client 1 <- * room:1 reply to #1: error {"reason":"join crashed"}  (bennu: callback panicked: in join)
`},
		{"join that does not decode", func(t testing.TB, e *channeltest.Endpoint) {
			e.Connect(t, nil).Join(t, "room:1", map[string]int{"name": 7})
		}, `channeltest: want to join room:1: refused with {"reason":"invalid payload","field":"name"}
` + asked + `	client 1 ->   room:1 #1 phx_join {"name":7}
	client 1  !   room:1 a callback failed: bennu: invalid payload: json: cannot unmarshal number into Go struct field person.name of type string
	client 1 <- * room:1 reply to #1: error {"reason":"invalid payload","field":"name"}
`},
		{"join in place of a refusal", func(t testing.TB, e *channeltest.Endpoint) {
			e.Connect(t, nil).ExpectJoinRefused(t, "room:1", person{"ann"})
		}, `channeltest: want the join of room:1 to be refused: it was joined
` + asked + annJoins},
		{"error in place of ok", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "fail", nil).ExpectOK(t)
		}, `channeltest: want reply to "fail" on room:1 to be ok: got error {"reason":"internal"}
` + asked + annJoins + `	client 1 ->   room:1 #2 fail {}
	client 1  !   room:1 a callback failed: no database
	client 1 <- * room:1 reply to #2: error {"reason":"internal"}
`},
		{"other payload", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "echo", said{"ann", "hi"}).ExpectReply(t, said{"ann", "ho"})
		}, `channeltest: reply to "echo" on room:1 differs from the wanted payload
	got  {"name":"ann","body":"hi"}
	want {"name":"ann","body":"ho"}
` + asked + annJoins + `	client 1 ->   room:1 #2 echo {"name":"ann","body":"hi"}
	client 1 <- * room:1 reply to #2: ok {"name":"ann","body":"hi"}
`},
		{"other type", func(t testing.TB, e *channeltest.Endpoint) {
			channeltest.ExpectReply[person](t, joined(t, e).Push(t, "echo", []byte{1, 'x'}))
		}, `channeltest: reply to "echo" on room:1 does not fit channeltest_test.person: it is bytes, not JSON
	got 2 bytes "\x01x"
` + asked + annJoins + `	client 1 ->   room:1 #2 echo 2 bytes "\x01x"
	client 1 <- * room:1 reply to #2: ok 2 bytes "\x01x"
`},
		{"unwanted push", func(t testing.TB, e *channeltest.Endpoint) {
			room := joined(t, e)
			room.Push(t, "ticks", nil)
			room.ExpectNoPush(t, "said", "tick")
		}, `channeltest: want no push ["said" "tick"] on room:1: there is "tick" {}
` + asked + annJoins + `	client 1 ->   room:1 #2 ticks {}
	client 1 <-   room:1 reply to #2: ok {}
	client 1 <-   room:1 tick {}
`},
		{"unwanted reply", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "echo", 7).ExpectNoReply(t)
		}, `channeltest: want no reply to "echo" on room:1: there is ok 7
` + asked + annJoins + `	client 1 ->   room:1 #2 echo 7
	client 1 <-   room:1 reply to #2: ok 7
`},
		{"close in place of a push", func(t testing.TB, e *channeltest.Endpoint) {
			room := joined(t, e)
			room.Push(t, "stop", nil)
			room.ExpectPush(t, "said", nil)
		}, `channeltest: want push "said" on room:1: the channel is closed: bennu: stop
` + asked + annJoins + `	client 1 ->   room:1 #2 stop {}
	client 1 <-   room:1 reply to #2: ok {}
	client 1 <-   room:1 phx_close {}  (bennu: stop)
`},
		{"disconnected", func(t testing.TB, e *channeltest.Endpoint) {
			room := joined(t, e)
			room.Push(t, "throw out", nil)
			room.ExpectPush(t, "said", nil)
		}, `channeltest: want push "said" on room:1: the server has closed the connection with 4001
` + asked + annJoins + `	client 1 ->   room:1 #2 throw out {}
	client 1  !   the server closes the connection with 4001
`},
		{"push without a connection", func(t testing.TB, e *channeltest.Endpoint) {
			c := e.Connect(t, nil)
			room := c.Join(t, "room:1", person{"ann"})
			c.Close(t)
			room.Push(t, "say", nil)
		}, `channeltest: want to push "say" on room:1: the client has closed its connection
` + asked + annJoins + `	client 1  !   the client closes its connection
`},
		{"not disconnected", func(t testing.TB, e *channeltest.Endpoint) {
			c := e.Connect(t, nil)
			c.Close(t)
			c.ExpectDisconnect(t)
		}, `channeltest: want client 1 to be disconnected: the client has closed its connection
` + asked + `	client 1  !   the client closes its connection
`},
		{"no socket", func(t testing.TB, e *channeltest.Endpoint) {
			e.Connect(t, &channeltest.Options{Path: "/socket"})
		}, `channeltest: the connection was refused with status 404: no socket is mounted at that path; set Options.Path
Nothing was sent or received.
`},
		{"let in", func(t testing.TB, e *channeltest.Endpoint) {
			e.ExpectRefused(t, nil)
		}, `channeltest: want the connection to be refused: client 1 was let in
Nothing was sent or received.
`},
		{"no broadcast", func(t testing.TB, e *channeltest.Endpoint) {
			l := e.Listen(t, "room:1")
			if err := e.Broadcast("room:1", "news", person{"x"}); err != nil {
				t.Error(err)
			}
			e.Timeout = time.Millisecond
			l.ExpectBroadcast(t, "said", nil)
		}, `channeltest: want broadcast "said" on room:1: it did not come within 1ms
` + asked + `	listener <-   room:1 news {"name":"x"}
`},
		{"payload that does not encode", func(t testing.TB, e *channeltest.Endpoint) {
			joined(t, e).Push(t, "echo", bennu.Payload{Data: []byte("{")})
		}, `channeltest: the payload of "echo" does not encode: it is not JSON
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := failure(t, func(tb testing.TB) { tt.test(tb, mount(tb)) })
			if got = plain(got); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

var (
	place     = regexp.MustCompile(`(?m)^\t\t\t.*/(\w+\.go):.*$`)
	arguments = regexp.MustCompile(`(?m)^(\t\tgithub.*)\(.*\)$`)
)

// plain removes from stacks the parts that change from run to run.
func plain(text string) string {
	return arguments.ReplaceAllString(place.ReplaceAllString(text, "\t\t\t$1"), "$1(...)")
}

// A failure shows the latest messages, and only as many as somebody reads.
func TestLongTranscript(t *testing.T) {
	got := failure(t, func(tb testing.TB) {
		room := mount(tb).Connect(tb, nil).Join(tb, "room:1", person{"ann"})
		for range 300 {
			room.Push(tb, "echo", strings.Repeat("x", 1000)).ExpectOK(tb)
		}
		room.Push(tb, "fail", nil).ExpectOK(tb)
	})
	if lines := strings.Count(got, "\n"); lines > 203 || len(got) > 200*600 || !strings.Contains(got, "the last 200 of 605:") {
		t.Errorf("%d lines, %d bytes: %.200s", lines, len(got), got)
	}
}

// If a callback blocks, ExpectNoPush fails, since the push may still come.
func TestBlockedCallback(t *testing.T) {
	release := make(chan error)
	got := failure(t, func(tb testing.TB) {
		e := channeltest.Mount(tb, rooms(release), quiet)
		room := e.Connect(tb, nil).Join(tb, "room:1", person{"ann"})
		room.Push(tb, "stop", nil).ExpectOK(tb)
		tb.Cleanup(func() { <-release })
		e.Timeout = 10 * time.Millisecond
		room.ExpectNoPush(tb)
	})
	if !strings.HasPrefix(got, "channeltest: a callback does not return, or callbacks cause each other, for 10ms\n") {
		t.Errorf("got %s", got)
	}
}
