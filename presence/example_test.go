package presence_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// user is a meta: the device and the status of somebody.
type user struct {
	Device string `json:"device"`
	Status string `json:"status,omitempty"`
}

// room is a channel that tracks its client while it is joined.
type room struct {
	*bennu.Channel
	here *presence.Presence[user]
	in   joining
}

type joining struct {
	Name   string `json:"name"`
	Device string `json:"device"`
}

type arrived struct{}

func rooms(here *presence.Presence[user]) bennu.ChannelHandler {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in joining) (*room, bennu.Empty, error) {
		// Nothing can be pushed in Join, so the channel sends a message to itself.
		return &room{ch, here, in}, bennu.Empty{}, ch.Send(arrived{})
	})
	bennu.OnInfo(d, (*room).arrived)
	bennu.On(d, "status", (*room).status)
	return d
}

func (r *room) arrived(context.Context, arrived) error {
	if err := r.here.PushState(r.Channel); err != nil {
		return err
	}
	_, err := r.here.Track(r.Channel, r.in.Name, user{Device: r.in.Device})
	return err
}

func (r *room) status(_ context.Context, u user) (bennu.Empty, error) {
	_, err := r.here.Update(r.Channel, r.in.Name, user{r.in.Device, u.Status})
	return bennu.Empty{}, err
}

// A client gets the list, and then every change.
func ExampleNew() {
	ps := pubsub.NewLocal() // or one that connects nodes
	here, err := presence.New[user](context.Background(), ps, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var users bennu.SocketHandler
	users.Channel("room:*", rooms(here))
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, Logger: discard})
	endpoint.Socket("/socket", &users, nil)
	endpoint.OnShutdown(func(context.Context) error { return here.Close() })

	talk(endpoint,
		`["1","1","room:a","phx_join",{"name":"ann","device":"phone"}]`, "<-", "<-", "<-",
		`["1","2","room:a","status",{"status":"away"}]`, "<-", "<-",
	)
	// Unordered output:
	// ["1","1","room:a","phx_reply",{"response":{},"status":"ok"}]
	// ["1",null,"room:a","presence_state",{}]
	// [null,null,"room:a","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"…","device":"phone"}]}},"leaves":{}}]
	// ["1","2","room:a","phx_reply",{"response":{},"status":"ok"}]
	// [null,null,"room:a","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"…","phx_ref_prev":"…","device":"phone","status":"away"}]}},"leaves":{"ann":{"metas":[{"phx_ref":"…","device":"phone"}]}}}]
}

// A key has a meta for each tab and phone.
func ExamplePresence_List() {
	here, end := start(nil)
	defer end()
	phone, laptop, other := here.NewOwner(), here.NewOwner(), here.NewOwner()
	phone.Track("room:a", "ann", user{Device: "phone"})
	laptop.Track("room:a", "ann", user{Device: "laptop"})
	other.Track("room:a", "bob", user{Device: "phone"})

	list := here.List("room:a")
	for _, name := range slices.Sorted(maps.Keys(list)) {
		fmt.Println(name, devices(list[name]))
	}
	fmt.Println("just ann:", devices(here.GetByKey("room:a", "ann")))
	fmt.Println("nobody:", here.GetByKey("room:a", "cy"))
	fmt.Println("metas:", here.Count("room:a"))
	// Output:
	// ann laptop, phone
	// bob phone
	// just ann: laptop, phone
	// nobody: []
	// metas: 3
}

// The entries of a channel are removed when it ends, for any reason.
func ExamplePresence_Track() {
	came, gone := make(chan string, 1), make(chan string, 1)
	here, end := start(&presence.Options[user]{
		First: func(_, name string) { came <- name },
		Last:  func(_, name string) { gone <- name },
	})
	defer end()
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in joining) (*bennu.Channel, bennu.Empty, error) {
		if _, err := here.Track(ch, in.Name, user{Device: in.Device}); err != nil {
			return nil, bennu.Empty{}, err
		}
		_, err := here.Track(ch, in.Name, user{Device: in.Device})
		fmt.Println("once more:", errors.Is(err, presence.ErrTracked))
		return ch, bennu.Empty{}, nil
	})
	bennu.On(d, "devices", func(ch *bennu.Channel, _ context.Context, in joining) (string, error) {
		<-came // hooks are not called for somebody who leaves before they run
		return devices(here.GetByKey(ch.Topic(), in.Name)), nil
	})
	var users bennu.SocketHandler
	users.Channel("room:*", d)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: discard})
	endpoint.Socket("/socket", &users, nil)

	talk(endpoint,
		`["1","1","room:a","phx_join",{"name":"ann","device":"phone"}]`, "<-",
		`["1","2","room:a","devices",{"name":"ann"}]`, "<-",
	) // and hangs up
	fmt.Println(<-gone, "is gone:", here.List("room:a"))
	// Output:
	// once more: true
	// ["1","1","room:a","phx_reply",{"response":{},"status":"ok"}]
	// ["1","2","room:a","phx_reply",{"response":"phone","status":"ok"}]
	// ann is gone: map[]
}

// An Owner has entries that do not belong to a channel. They are removed when it closes.
func ExamplePresence_NewOwner() {
	here, end := start(nil)
	defer end()
	robot := here.NewOwner()
	for _, topic := range []string{"room:a", "room:b"} {
		if _, err := robot.Track(topic, "robot", user{Status: "dusting"}); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(here.Count("room:a"), here.Count("room:b"))
	robot.Untrack("room:a", "robot")
	fmt.Println(here.Count("room:a"), here.Count("room:b"))
	robot.Close()
	fmt.Println(here.Count("room:a"), here.Count("room:b"))
	_, err := robot.Track("room:a", "robot", user{})
	fmt.Println("closed:", errors.Is(err, bennu.ErrClosed))
	// Output:
	// 1 1
	// 0 1
	// 0 0
	// closed: true
}

func ExampleOwner_Update() {
	here, end := start(nil)
	defer end()
	ann := here.NewOwner()
	first, _ := ann.Track("room:a", "ann", user{Device: "phone"})
	ann.Update("room:a", "ann", user{Device: "phone", Status: "typing"})

	now := here.GetByKey("room:a", "ann")[0]
	fmt.Println(now.Meta.Status, now.PrevRef == first)

	// The function changes the meta as it is now.
	ann.UpdateFunc("room:a", "ann", func(u user) user { u.Status = "away"; return u })
	fmt.Printf("%+v\n", here.GetByKey("room:a", "ann")[0].Meta)

	_, err := ann.Update("room:b", "ann", user{})
	fmt.Println("not there:", errors.Is(err, presence.ErrNotTracked))
	// Output:
	// typing true
	// {Device:phone Status:away}
	// not there: true
}

// Fetch may read names from a database: one query gets those of all keys of a list or diff.
func ExampleOptions_fetch() {
	type profile struct {
		Name string `json:"name"`
	}
	names := map[string]string{"7": "Ann", "8": "Bob"}
	here, end := start(&presence.Options[user]{
		Fetch: func(_ context.Context, topic string, keys []string) (map[string]any, error) {
			found := make(map[string]any)
			for _, key := range keys {
				if name, ok := names[key]; ok {
					found[key] = profile{name}
				}
			}
			return found, nil
		},
	})
	defer end()
	worker := here.NewOwner()
	for _, key := range []string{"7", "8", "9"} {
		worker.Track("room:a", key, user{Device: "phone"})
	}
	fmt.Println(masked(here.State("room:a")))
	// Output:
	// {"7":{"metas":[{"phx_ref":"…","device":"phone"}],"name":"Ann"},"8":{"metas":[{"phx_ref":"…","device":"phone"}],"name":"Bob"},"9":{"metas":[{"phx_ref":"…","device":"phone"}]}}
}

// First and Last are called for users, not for each of their tabs.
func ExampleOptions_first() {
	told := make(chan string, 10)
	here, end := start(&presence.Options[user]{
		First: func(topic, key string) { told <- key + " came to " + topic },
		Last:  func(topic, key string) { told <- key + " left " + topic },
	})
	defer end()
	phone, laptop, other := here.NewOwner(), here.NewOwner(), here.NewOwner()
	phone.Track("room:a", "ann", user{Device: "phone"})
	fmt.Println(<-told)
	laptop.Track("room:a", "ann", user{Device: "laptop"})
	phone.Close()
	other.Track("room:a", "bob", user{Device: "phone"})
	fmt.Println(<-told)
	laptop.Close()
	fmt.Println(<-told)
	// Output:
	// ann came to room:a
	// bob came to room:a
	// ann left room:a
}

// With a LeaveDelay, others do not see that a user reloads the page.
func ExampleOptions_leaveDelay() {
	told := make(chan string, 10)
	here, end := start(&presence.Options[user]{
		LeaveDelay: time.Minute,
		Changed: func(c presence.Change[user]) {
			told <- fmt.Sprintf("%d joined and %d left", len(c.Joins), len(c.Leaves))
		},
		Last: func(_, key string) { told <- key + " is gone" },
	})
	defer end()
	before := here.NewOwner()
	before.Track("room:a", "ann", user{Device: "phone"})
	fmt.Println(<-told)

	before.Close() // the reload
	after := here.NewOwner()
	after.Track("room:a", "ann", user{Device: "phone"})
	fmt.Println(<-told)
	fmt.Println(devices(here.GetByKey("room:a", "ann")))
	// Output:
	// 1 joined and 0 left
	// 1 joined and 1 left
	// phone
}

// Above Large.Entries clients get a number and a sample instead of diffs.
func ExampleLarge() {
	told := make(chan string, 10)
	here, end := start(&presence.Options[user]{
		Large: &presence.Large{Entries: 3, Sample: 1, Every: time.Minute},
		First: func(_, key string) { told <- key },
	})
	defer end()
	crowd := here.NewOwner()
	for i := range 5 {
		crowd.Track("room:a", fmt.Sprint(i), user{Device: "phone"})
	}
	for range 5 { // until diffs would have been sent
		<-told
	}

	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, ch.Send(arrived{})
	})
	bennu.OnInfo(d, func(ch *bennu.Channel, _ context.Context, _ arrived) error { return here.PushState(ch) })
	var users bennu.SocketHandler
	users.Channel("room:*", d)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: discard})
	endpoint.Socket("/socket", &users, nil)
	// The sample is random, so it is masked here.
	talk(endpoint, `["1","1","room:a","phx_join",{}]`, "<-", "<-", "<-")
	// Output:
	// ["1","1","room:a","phx_reply",{"response":{},"status":"ok"}]
	// ["1",null,"room:a","presence_state",{"…":{"metas":[{"phx_ref":"…","device":"phone"}]}}]
	// ["1",null,"room:a","presence_count",{"metas":5,"keys":5,"sample":{"…":{"metas":[{"phx_ref":"…","device":"phone"}]}}}]
}

var discard = slog.New(slog.DiscardHandler)

// start makes a presence for one node.
func start(opts *presence.Options[user]) (here *presence.Presence[user], end func()) {
	ps := pubsub.NewLocal()
	here, err := presence.New(context.Background(), ps, opts)
	if err != nil {
		fmt.Println(err)
	}
	return here, func() {
		here.Close()
		ps.Close(context.Background())
	}
}

func devices(metas []presence.Tracked[user]) string {
	var all []string
	for _, m := range metas {
		all = append(all, m.Meta.Device)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// talk sends lines over a WebSocket. For a line "<-" it waits for a frame and prints it. At the end it
// closes the connection and the endpoint.
func talk(endpoint *bennu.Endpoint, lines ...string) {
	server := httptest.NewServer(endpoint)
	defer server.Close()
	defer endpoint.Shutdown(context.Background())
	conn, _, _, err := ws.Dial(context.Background(), "ws"+strings.TrimPrefix(server.URL, "http")+"/socket/websocket?vsn=2.0.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for _, line := range lines {
		if line != "<-" {
			if err := wsutil.WriteClientText(conn, []byte(line)); err != nil {
				fmt.Println(err)
			}
			continue
		}
		frame, err := wsutil.ReadServerText(conn)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(masked(frame))
	}
}

var (
	refs   = regexp.MustCompile(`("phx_ref(_prev)?":)"[^"]+"`)
	sample = regexp.MustCompile(`"[0-4]":{"metas"`)
)

// masked replaces the parts that differ from run to run.
func masked(frame []byte) string {
	frame = refs.ReplaceAll(frame, []byte(`$1"…"`))
	return string(sample.ReplaceAll(frame, []byte(`"…":{"metas"`)))
}
