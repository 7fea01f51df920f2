package channeltest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

// example is the t of the examples. A test of yours gets it from go test, and has the code of an
// example without its first two lines.
type example struct {
	testing.TB
	cleanups []func()
}

func newExample() *example { return &example{} }

// end runs the cleanups, as go test does at the end of a test.
func (e *example) end() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
}

func (e *example) Helper()                   {}
func (e *example) Cleanup(f func())          { e.cleanups = append(e.cleanups, f) }
func (e *example) Context() context.Context  { return context.Background() }
func (e *example) Output() io.Writer         { return io.Discard }
func (e *example) Failed() bool              { return false }
func (e *example) Errorf(f string, a ...any) { fmt.Printf(f+"\n", a...) }
func (e *example) Fatalf(f string, a ...any) { fmt.Printf(f+"\n", a...) }

// chat is the state of one guest in one room.
type chat struct {
	*bennu.Channel
	name string
}

type guest struct {
	Name string `json:"name"`
}

type line struct {
	Name string `json:"name,omitempty"`
	Body string `json:"body"`
}

type welcome struct {
	Rules string `json:"rules"`
}

func joinChat(_ context.Context, ch *bennu.Channel, in guest) (*chat, welcome, error) {
	if in.Name == "" {
		return nil, welcome{}, bennu.Errorf("name must not be blank")
	}
	return &chat{ch, in.Name}, welcome{"be kind"}, nil
}

func (c *chat) say(_ context.Context, in line) (bennu.Empty, error) {
	if in.Body == "" {
		return bennu.Empty{}, bennu.Errorf("body must not be blank")
	}
	return bennu.Empty{}, c.BroadcastFrom("said", line{c.name, in.Body})
}

func (c *chat) count(_ context.Context, in line) (map[string]int, error) {
	return map[string]int{"letters": len(in.Body)}, nil
}

func (c *chat) typing(context.Context, bennu.Empty) (bennu.NoReply, error) {
	return bennu.NoReply{}, nil
}

func (c *chat) divide(_ context.Context, by int) (int, error) { return 1 / by, nil }

func (c *chat) bye(context.Context, bennu.Empty) (bennu.Empty, error) {
	return bennu.Empty{}, bennu.Stop
}

func (c *chat) order(_ context.Context, dish string) (bennu.Reply, error) {
	return bennu.Reply{Status: "sold out", Response: line{Body: "no " + dish}}, nil
}

func newChat() *bennu.Endpoint {
	chats := bennu.Define(joinChat)
	bennu.On(chats, "say", (*chat).say)
	bennu.On(chats, "count", (*chat).count)
	bennu.On(chats, "typing", (*chat).typing)
	bennu.On(chats, "divide", (*chat).divide)
	bennu.On(chats, "order", (*chat).order)
	bennu.On(chats, "bye", (*chat).bye)
	users := &bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
			user, _ := info.Params.String("user")
			if user == "mallory" {
				return bennu.ErrRefused
			}
			s.Assign("user", user)
			return nil
		},
		ID: func(s *bennu.Socket) string { return "user:" + s.Assigned("user").(string) },
	}
	users.Channel("chat:*", chats)
	endpoint := bennu.NewEndpoint(quiet)
	endpoint.Socket("/socket", users, nil)
	return endpoint
}

func Example() {
	t := newExample()
	defer t.end()

	endpoint := channeltest.Start(t, newChat())
	ann := endpoint.Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	bob := endpoint.Connect(t, nil).Join(t, "chat:1", guest{"bob"})

	ann.Push(t, "say", line{Body: "hi"}).ExpectOK(t)
	bob.ExpectPush(t, "said", line{"ann", "hi"})
	ann.ExpectNoPush(t) // the sender does not get it
	// Output:
}

// A failure shows the wanted and the received message, and all that was sent and received.
func Example_failure() {
	t := newExample()
	defer t.end()

	channel := channeltest.Start(t, newChat()).Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	channel.Push(t, "count", line{Body: "hello"}).ExpectReply(t, map[string]int{"letters": 4})
	// Output:
	// channeltest: reply to "count" on chat:1 differs from the wanted payload
	// 	got  {"letters":5}
	// 	want {"letters":4}
	// What was sent (->) and received (<-), in order; a * marks those that the test has expected:
	// 	client 1 ->   chat:1 #1 phx_join {"name":"ann"}
	// 	client 1 <- * chat:1 reply to #1: ok {"rules":"be kind"}
	// 	client 1 ->   chat:1 #2 count {"body":"hello"}
	// 	client 1 <- * chat:1 reply to #2: ok {"letters":5}
}

// One handler can be tested by itself, without the endpoint of the program.
func ExampleMount() {
	t := newExample()
	defer t.end()

	var users bennu.SocketHandler
	users.Channel("chat:*", bennu.Define(joinChat))
	client := channeltest.Mount(t, &users, nil).Connect(t, nil)
	_, got := channeltest.Join[welcome](t, client, "chat:1", guest{"ann"})
	fmt.Println(got.Rules)
	// Output: be kind
}

func ExampleEndpoint_Connect() {
	t := newExample()
	defer t.end()

	endpoint := channeltest.Start(t, newChat())
	client := endpoint.Connect(t, &channeltest.Options{Params: url.Values{"user": {"ann"}}})
	if err := endpoint.Disconnect("user:ann"); err != nil {
		t.Errorf("Disconnect: %v", err)
	}
	fmt.Println(client.ExpectDisconnect(t))
	// Output: 1001
}

func ExampleEndpoint_ExpectRefused() {
	t := newExample()
	defer t.end()

	endpoint := channeltest.Start(t, newChat())
	refused := endpoint.ExpectRefused(t, &channeltest.Options{Params: url.Values{"user": {"mallory"}}})
	fmt.Println(refused.Status, errors.Is(refused.Err, bennu.ErrRefused))
	// Output: 403 true
}

// Call Settle before you check the effects of a message without a reply.
func ExampleEndpoint_Settle() {
	t := newExample()
	defer t.end()

	endpoint := channeltest.Start(t, newChat())
	channel := endpoint.Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	channel.Push(t, "typing", nil)
	endpoint.Settle(t)
	fmt.Println("callbacks:", endpoint.Stats().Callbacks)
	// Output: callbacks: 0
}

func ExampleClient_ExpectJoinRefused() {
	t := newExample()
	defer t.end()

	client := channeltest.Start(t, newChat()).Connect(t, nil)
	fmt.Println(client.ExpectJoinRefused(t, "chat:1", guest{""}))
	fmt.Println(client.ExpectJoinRefused(t, "elsewhere", nil))
	// Output:
	// name must not be blank
	// unmatched topic
}

// A predicate picks one among several pushes of the same event.
func ExampleExpectPush() {
	t := newExample()
	defer t.end()

	endpoint := channeltest.Start(t, newChat())
	channel := endpoint.Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	for _, body := range []string{"one", "two", "three"} {
		if err := endpoint.Broadcast("chat:1", "said", line{"server", body}); err != nil {
			t.Errorf("Broadcast: %v", err)
		}
	}
	got := channeltest.ExpectPush(t, channel, "said", func(l line) bool { return l.Body == "two" })
	fmt.Println(got)
	fmt.Println(channeltest.ExpectPush[line](t, channel, "said"))
	// Output:
	// {server two}
	// {server one}
}

func ExampleExpectReply() {
	t := newExample()
	defer t.end()

	channel := channeltest.Start(t, newChat()).Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	got := channeltest.ExpectReply[map[string]int](t, channel.Push(t, "count", line{Body: "hello"}))
	fmt.Println(got["letters"])
	// Output: 5
}

func ExamplePushed_ExpectError() {
	t := newExample()
	defer t.end()

	channel := channeltest.Start(t, newChat()).Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	fmt.Println(channel.Push(t, "say", nil).ExpectError(t).Reason)
	// Output: body must not be blank
}

func ExamplePushed_ExpectNoReply() {
	t := newExample()
	defer t.end()

	channel := channeltest.Start(t, newChat()).Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	channel.Push(t, "typing", nil).ExpectNoReply(t)
	// Output:
}

func ExamplePushed_ExpectStatus() {
	t := newExample()
	defer t.end()

	channel := channeltest.Start(t, newChat()).Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	fmt.Printf("%s\n", channel.Push(t, "order", "soup").ExpectStatus(t, "sold out").Data)
	// Output: {"body":"no soup"}
}

// A crash fails a test that does not expect it. After it the client joins again.
func ExampleChannel_ExpectCrash() {
	t := newExample()
	defer t.end()

	client := channeltest.Start(t, newChat()).Connect(t, nil)
	channel := client.Join(t, "chat:1", guest{"ann"})
	channel.Push(t, "divide", 0)
	fmt.Println(channel.ExpectCrash(t))
	client.Join(t, "chat:1", guest{"ann"}).Push(t, "divide", 1).ExpectReply(t, 1)
	// Output: bennu: callback panicked: runtime error: integer divide by zero
}

func ExampleChannel_ExpectClose() {
	t := newExample()
	defer t.end()

	channel := channeltest.Start(t, newChat()).Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	channel.Push(t, "bye", nil).ExpectOK(t)
	channel.ExpectClose(t)
	// Output:
}

// A Listener receives the broadcasts of a topic, also if no client has joined it.
func ExampleExpectBroadcast() {
	t := newExample()
	defer t.end()

	endpoint := channeltest.Start(t, newChat())
	heard := endpoint.Listen(t, "chat:1")
	ann := endpoint.Connect(t, nil).Join(t, "chat:1", guest{"ann"})
	ann.Push(t, "say", line{Body: "hi"})
	fmt.Println(channeltest.ExpectBroadcast[line](t, heard, "said"))
	heard.ExpectNoBroadcast(t)
	// Output: {ann hi}
}

// The type of a meta is the application's.
func ExamplePresenceState() {
	type meta struct {
		Device string `json:"device"`
	}
	_ = func(t *testing.T, room *channeltest.Channel) {
		here := channeltest.ExpectPush[channeltest.PresenceState[meta]](t, room, "presence_state")
		if devices := here["ann"].Metas; len(devices) != 1 || devices[0].Device != "phone" {
			t.Errorf("ann is here with %v", devices)
		}
	}
}

// Waiting is bounded. A very slow machine may need a longer Timeout.
func ExampleEndpoint_timeout() {
	t := newExample()
	defer t.end()

	endpoint := channeltest.Start(t, newChat())
	endpoint.Timeout = time.Minute
	// Output:
}
