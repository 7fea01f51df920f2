package channeltest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/transport"
)

func TestJoin(t *testing.T) {
	ann := mount(t).Connect(t, nil)
	_, got := channeltest.Join[person](t, ann, "room:1", person{"ann"})
	if got != (person{"ann"}) {
		t.Errorf("reply to the join: %+v", got)
	}
	for name, reason := range map[string]string{"": "who are you?", "broken": "internal", "panic": "join crashed"} {
		if err := ann.ExpectJoinRefused(t, "room:2", person{name}); err.Reason != reason {
			t.Errorf("join as %q: %v, want %s", name, err, reason)
		}
	}
	if err := ann.ExpectJoinRefused(t, "nowhere", nil); err.Reason != "unmatched topic" || fmt.Sprintf("%s", err.Response) != `{"reason":"unmatched topic"}` {
		t.Errorf("join of an unknown topic: %v, response %s", err, err.Response)
	}
}

func TestReply(t *testing.T) {
	room := mount(t).Connect(t, nil).Join(t, "room:1", person{"ann"})
	echo := func(payload any) *channeltest.Pushed { return room.Push(t, "echo", payload) }

	if got := channeltest.ExpectReply[said](t, echo(said{"a", "<b>"})); got != (said{"a", "<b>"}) {
		t.Errorf("typed: %+v", got)
	}
	if got := channeltest.ExpectReply[bennu.Raw](t, echo(bennu.Raw(`{"b": 1, "a": 1.50}`))); string(got) != `{"b":1,"a":1.50}` {
		t.Errorf("raw: %s", got)
	}
	if got := channeltest.ExpectReply[[]byte](t, echo([]byte{0, 255})); string(got) != "\x00\xff" {
		t.Errorf("bytes: %q", got)
	}
	if got := channeltest.ExpectReply[bennu.Payload](t, echo(bennu.Payload{Data: []byte("x"), Binary: true})); string(got.Data) != "x" || !got.Binary {
		t.Errorf("payload: %+v", got)
	}
	echo(nil).ExpectReply(t, bennu.Empty{})
	echo([]byte("x")).ExpectReply(t, []byte("x"))
	echo(map[string]int{"b": 1, "a": 2}).ExpectReply(t, bennu.Raw(`{"a":2, "b":1}`))

	room.Push(t, "say", said{}).ExpectOK(t)
	room.Push(t, "whisper", said{}).ExpectNoReply(t)
	if err := room.Push(t, "fail", nil).ExpectError(t); err.Reason != "internal" {
		t.Errorf("error: %v", err)
	}
	// Replies may be asked for in any order.
	first, second := echo(1), echo(2)
	second.ExpectReply(t, 2)
	first.ExpectReply(t, 1)
}

func TestPush(t *testing.T) {
	e := mount(t)
	ann := e.Connect(t, nil).Join(t, "room:1", person{"ann"})
	bob := e.Connect(t, nil).Join(t, "room:1", person{"bob"})
	other := e.Connect(t, nil).Join(t, "room:2", person{"cy"})

	for i := range 4 {
		ann.Push(t, "say", said{Body: fmt.Sprint(i)})
	}
	ann.ExpectPush(t, "said", said{"ann", "0"})
	if got := channeltest.ExpectPush[said](t, ann, "said"); got.Body != "1" {
		t.Errorf("second: %+v", got)
	}
	// A push that fits is taken, and the others stay.
	if got := channeltest.ExpectPush(t, bob, "said", func(s said) bool { return s.Body == "2" }); got.Body != "2" {
		t.Errorf("picked: %+v", got)
	}
	for _, body := range []string{"0", "1", "3"} {
		bob.ExpectPush(t, "said", said{"ann", body})
	}
	bob.ExpectNoPush(t)
	other.ExpectNoPush(t)
	ann.ExpectNoPush(t, "whispered", "tick")

	ann.Push(t, "bytes", []byte{1})
	ann.ExpectPush(t, "pushed", []byte{1})
	if got := channeltest.ExpectPush[[]byte](t, bob, "cast"); string(got) != "\x01" {
		t.Errorf("binary broadcast: %q", got)
	}
	if err := e.Broadcast("room:2", "news", said{"server", "hi"}); err != nil {
		t.Fatal(err)
	}
	other.ExpectPush(t, "news", said{"server", "hi"})
}

// When ExpectNoPush looks, all callbacks that ann's callback causes in other channels have run,
// however many steps that takes.
func TestNoPushIsExact(t *testing.T) {
	e := mount(t)
	ann := e.Connect(t, nil).Join(t, "room:1", person{"ann"})
	deaf := e.Connect(t, nil).Join(t, "room:1", person{"deaf"})
	bob := e.Connect(t, nil).Join(t, "room:1", person{"bob"})
	for i := range 50 {
		ann.Push(t, "whisper", said{Body: fmt.Sprint(i)})
		ann.ExpectNoPush(t)
		deaf.ExpectNoPush(t)
		failure(t, func(tb testing.TB) { bob.ExpectNoPush(tb) })
		bob.ExpectPush(t, "whispered", said{"ann", fmt.Sprint(i)})
		bob.ExpectNoPush(t)
	}
}

// Goroutines of Channel.Go may run as long as the channel. Only the end of the test waits for
// them.
func TestLastingGoroutines(t *testing.T) {
	e := mount(t)
	room := e.Connect(t, nil).Join(t, "room:1", person{"clock"}) // its Join starts one
	room.ExpectNoPush(t)
	room.Push(t, "later", nil).ExpectNoReply(t) // starts another
	if n := e.Stats().Callbacks; n != 2 {
		t.Errorf("%d goroutines, want 2", n)
	}
}

func TestListener(t *testing.T) {
	e := mount(t)
	l := e.Listen(t, "room:1")
	ann := e.Connect(t, nil).Join(t, "room:1", person{"ann"})
	ann.Push(t, "whisper", said{Body: "psst"})
	ann.Push(t, "say", said{Body: "a"})
	ann.Push(t, "say", said{Body: "b"})
	l.ExpectBroadcast(t, "whispered", said{"ann", "psst"})
	if got := channeltest.ExpectBroadcast(t, l, "said", func(s said) bool { return s.Body == "b" }); got.Name != "ann" {
		t.Errorf("broadcast: %+v", got)
	}
	if got := channeltest.ExpectBroadcast[said](t, l, "said"); got.Body != "a" {
		t.Errorf("broadcast: %+v", got)
	}
	ann.Push(t, "ticks", nil)
	l.ExpectNoBroadcast(t)
	ann.ExpectPush(t, "tick", nil)
}

func TestEnds(t *testing.T) {
	ends := make(chan error, 1)
	e := channeltest.Mount(t, rooms(ends), quiet)
	join := func() (*channeltest.Client, *channeltest.Channel) {
		c := e.Connect(t, &channeltest.Options{Params: url.Values{"id": {"user:1"}}})
		return c, c.Join(t, "room:1", person{"ann"})
	}
	wantEnd := func(want error) {
		t.Helper()
		if got := <-ends; !errors.Is(got, want) {
			t.Errorf("Terminate was given %v, want %v", got, want)
		}
	}

	c, room := join()
	room.Leave(t)
	if len(ends) != 1 {
		t.Error("Leave has returned before Terminate")
	}
	wantEnd(bennu.ErrLeft)
	room = c.Join(t, "room:1", person{"ann"})
	room.Push(t, "stop", nil).ExpectOK(t)
	room.ExpectClose(t)
	wantEnd(bennu.Stop)

	room = c.Join(t, "room:1", person{"ann"})
	room.Push(t, "panic", nil)
	if p, ok := errors.AsType[*bennu.PanicError](room.ExpectCrash(t)); !ok || p.Value != "bubble burst" {
		t.Errorf("crashed with %v", p)
	}
	<-ends
	c.Join(t, "room:1", person{"ann"})
	c.Close(t)
	wantEnd(transport.ErrClientClosed)

	c, _ = join()
	c.Drop(t)
	wantEnd(transport.ErrLost)

	c, room = join()
	room.Push(t, "throw out", nil)
	if code := c.ExpectDisconnect(t); code != 4001 {
		t.Errorf("closed with %d", code)
	}
	<-ends
	c, _ = join()
	if err := e.Disconnect("user:1"); err != nil {
		t.Fatal(err)
	}
	if code := c.ExpectDisconnect(t); code != transport.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	wantEnd(bennu.ErrDisconnected)
}

// A broadcast to one join is not taken for a push to the next join.
func TestRejoin(t *testing.T) {
	e := mount(t)
	c := e.Connect(t, nil)
	first := c.Join(t, "room:1", person{"ann"})
	first.Push(t, "say", said{Body: "1"}).ExpectOK(t)
	first.Push(t, "panic", nil)
	first.ExpectCrash(t)
	second := c.Join(t, "room:1", person{"ann"})
	second.ExpectNoPush(t)
	second.Push(t, "say", said{Body: "2"}).ExpectOK(t)
	second.ExpectPush(t, "said", said{"ann", "2"})
	first.ExpectPush(t, "said", said{"ann", "1"})
	first.ExpectNoPush(t)
}

func TestRefused(t *testing.T) {
	e := mount(t)
	as := func(id string) *channeltest.Options { return &channeltest.Options{Params: url.Values{"id": {id}}} }
	for _, tt := range []struct {
		name    string
		options *channeltest.Options
		status  int
		err     error // nil for any
	}{
		{"ErrRefused", as("stranger"), 403, bennu.ErrRefused},
		{"a reason", as("banned"), 403, errBanned},
		{"panic", as("panic"), 500, nil},
		{"no such path", &channeltest.Options{Path: "/elsewhere"}, 404, nil},
		{"origin", &channeltest.Options{Header: http.Header{"Origin": {"http://evil.example"}}}, 403, transport.ErrOrigin},
		{"version", &channeltest.Options{Params: url.Values{"vsn": {"9.0.0"}}}, 403, bennu.ErrRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := e.ExpectRefused(t, tt.options)
			if got.Status != tt.status || tt.err != nil && !errors.Is(got.Err, tt.err) {
				t.Errorf("got %d, %v", got.Status, got.Err)
			}
		})
	}
	if s := e.Stats(); s.Sockets != 0 {
		t.Errorf("%d sockets", s.Sockets)
	}
}

func TestConnectInfo(t *testing.T) {
	var users bennu.SocketHandler
	users.Connect = func(_ context.Context, _ *bennu.Socket, info *bennu.ConnectInfo) error {
		room, _ := info.Params.String("room")
		agent, x := info.Header().Get("User-Agent"), info.Header().Get("X-One")
		got := fmt.Sprint(room, " ", *info.AuthToken, " ", info.PeerAddr(), " ", info.URI().Host, " ", agent, " ", x, " ", info.TLS() != nil, " ", info.Session["user"])
		if want := "blue s3cret? 198.51.100.7:9 chat.example robot 1 true 7"; got != want {
			return fmt.Errorf("got %s, want %s", got, want)
		}
		return nil
	}
	e := bennu.NewEndpoint(quiet)
	e.Socket("/live/:room", &users, &bennu.SocketOptions{Checks: transport.Checks{
		AuthToken: true,
		Session: &transport.SessionCheck{
			Read: func(r *http.Request) (map[string]any, bool) {
				cookie, err := r.Cookie("session")
				return map[string]any{"user": cookie.Value}, err == nil
			},
			CSRF: func(_ map[string]any, token string) bool { return token == "csrf" },
		},
	}})
	channeltest.Start(t, e).Connect(t, &channeltest.Options{
		Path:      "/live/blue/websocket",
		Params:    url.Values{"_csrf_token": {"csrf"}},
		AuthToken: "s3cret?",
		Header:    http.Header{"User-Agent": {"robot"}, "X-One": {"1"}, "Cookie": {"session=7"}, "Origin": {"https://chat.example"}},
		Request: func(r *http.Request) {
			r.RemoteAddr, r.Host, r.TLS = "198.51.100.7:9", "chat.example", &tls.ConnectionState{}
		},
	})
}

// A client that sends faster than Limits.MessageRate is read only at that rate.
func TestFlowControl(t *testing.T) {
	users := rooms(nil)
	users.Limits = bennu.Limits{MessageRate: 1000, MailboxMessages: 4}
	room := channeltest.Mount(t, users, quiet).Connect(t, nil).Join(t, "room:1", person{"ann"})
	var last *channeltest.Pushed
	for i := range 1200 {
		last = room.Push(t, "echo", i)
	}
	last.ExpectReply(t, 1199)
}

func TestManyClients(t *testing.T) {
	e := mount(t)
	var all []*channeltest.Channel
	for range 200 {
		all = append(all, e.Connect(t, nil).Join(t, "room:1", person{"ann"}))
	}
	all[0].Push(t, "say", said{Body: "hi"})
	for _, room := range all {
		room.ExpectPush(t, "said", said{"ann", "hi"})
		room.ExpectNoPush(t)
	}
}

func TestSubtests(t *testing.T) {
	e := mount(t)
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			e.Connect(t, nil).Join(t, "room:1", person{"ann"}).ExpectNoPush(t)
			if s := e.Stats(); s.Sockets != 1 {
				t.Errorf("%d sockets", s.Sockets)
			}
		})
	}
}

func TestLogGoesToTheTest(t *testing.T) {
	out := &output{TB: t}
	e := channeltest.Mount(out, rooms(nil), nil)
	e.Connect(t, nil).Join(t, "room:1", person{"ann"}).Push(t, "fail", nil).ExpectError(t)
	if !strings.Contains(out.String(), "no database") {
		t.Errorf("logged %q", out.String())
	}
}

// TestErrorNamesField checks that the error for an invalid payload names the field.
func TestErrorNamesField(t *testing.T) {
	err := mount(t).Connect(t, nil).Join(t, "room:1", person{"ann"}).Push(t, "say", bennu.Raw(`{"body":7}`)).ExpectError(t)
	if want := `invalid payload (field "body")`; err.Reason != "invalid payload" || err.Error() != want {
		t.Errorf("got %q with reason %q, want %q", err, err.Reason, want)
	}
}
