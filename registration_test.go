package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

func noIn(*room, context.Context, bennu.Empty) (bennu.Empty, error) { return bennu.Empty{}, nil }
func noOut(*room, context.Context, bennu.Empty) error               { return nil }
func noInfo[T any](*room, context.Context, T) error                 { return nil }

// TestRegistrationPanics makes mistakes at registration. Each message says where,
// and where the earlier registration was if there is one.
func TestRegistrationPanics(t *testing.T) {
	endpoint := func() *bennu.Endpoint {
		return bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	}
	for _, tc := range []struct {
		name   string
		do     func()
		places int
		want   string
	}{
		{"event twice", func() {
			d := rooms()
			bennu.On(d, "x", noIn)
			bennu.On(d, "x", noIn)
		}, 2, `event "x" already has a handler`},
		{"intercepted twice", func() {
			d := rooms()
			bennu.Intercept(d, "x", noOut)
			bennu.Intercept(d, "x", noOut)
		}, 2, `event "x" is already intercepted`},
		{"info twice", func() {
			d := rooms()
			bennu.OnInfo(d, noInfo[greeting])
			bennu.OnInfo(d, noInfo[greeting])
		}, 2, `bennu_test.greeting already have a handler`},
		{"info of an interface", func() { bennu.OnInfo(rooms(), noInfo[error]) }, 1, "error is an interface"},
		{"no event", func() { bennu.On(rooms(), "", noIn) }, 1, "must have a name"},
		{"long event", func() { bennu.On(rooms(), strings.Repeat("x", 256), noIn) }, 1, "at most 255 bytes"},
		{"event that is not UTF-8", func() { bennu.Intercept(rooms(), "\xff", noOut) }, 1, "UTF-8"},
		{"phx_join", func() { bennu.On(rooms(), "phx_join", noIn) }, 1, "belongs to the protocol"},
		{"phx_leave", func() { bennu.On(rooms(), "phx_leave", noIn) }, 1, "belongs to the protocol"},
		{"phx_reply", func() { bennu.On(rooms(), "phx_reply", noIn) }, 1, `event "phx_reply" belongs to the protocol; use another name`},
		{"phx_close", func() { bennu.Intercept(rooms(), "phx_close", noOut) }, 1, "belongs to the protocol"},
		{"phx_error", func() { bennu.On(rooms(), "phx_error", noIn) }, 1, "belongs to the protocol"},
		{"no event intercepted", func() { bennu.Intercept(rooms(), "", noOut) }, 1, "must have a name"},
		{"pattern twice", func() {
			users := one("a*", rooms())
			users.Channel("a*", rooms())
		}, 2, `topic pattern "a*" is already registered`},
		{"covered pattern", func() {
			users := one("room:*", rooms())
			users.Channel("room:lobby", rooms())
		}, 2, `topic pattern "room:lobby" can never match, because "room:*", registered before it at `},
		{"covered prefix", func() {
			users := one("a*", rooms())
			users.Channel("ab*", rooms())
		}, 2, `register "ab*" before "a*"`},
		{"covered by all", func() {
			users := one("*", rooms())
			users.Channel("room:*", rooms())
		}, 2, "can never match"},
		{"covered empty rest", func() {
			users := one("room:*", rooms())
			users.Channel("room:", rooms())
		}, 2, "can never match"},
		{"long pattern", func() { one(strings.Repeat("x", 256)+"*", rooms()) }, 1, "can never match: a topic is UTF-8 of at most 255 bytes"},
		{"pattern that is not UTF-8", func() { one("room:\xff", rooms()) }, 1, "can never match"},
		{"* in the middle", func() { one("ping:*a", rooms()) }, 1, `in topic pattern "ping:*a" the * is not the last character; only a prefix can be matched, as in "ping:*"`},
		{"two *", func() { one("a**", rooms()) }, 1, "not the last character"},
		{"empty pattern", func() { one("", rooms()) }, 1, "must not be empty"},
		{"nil handler", func() { one("a", nil) }, 1, "is nil"},
		{"nil handler from middleware", func() {
			(&bennu.SocketHandler{}).Channel("a", rooms(), func(bennu.ChannelHandler) bennu.ChannelHandler { return nil })
		}, 1, "is nil"},
		{"nil pointer as handler", func() { one("a", (*hangingNil)(nil)) }, 1, `the handler of "a" is nil (*bennu_test.hangingNil)`},
		{"nil Definition", func() { one("a", (*bennu.Definition[*room])(nil)) }, 1, "is nil"},
		{"zero Definition", func() { one("a", new(bennu.Definition[*room])) }, 1, "make one with Define"},
		{"nil function as handler", func() { one("a", joinFunc(nil)) }, 1, "is nil (bennu_test.joinFunc)"},
		{"nil middleware", func() { (&bennu.SocketHandler{}).Channel("a", rooms(), embed, nil) }, 1, `middleware 2 of "a" is nil`},
		{"nil pointer from middleware", func() {
			(&bennu.SocketHandler{}).Channel("a", rooms(), func(bennu.ChannelHandler) bennu.ChannelHandler { return (*hangingNil)(nil) })
		}, 1, `the handler that middleware 1 of "a" returned is nil`},
		{"Around nothing", func() { bennu.Around(nil) }, 1, "Around needs a function"},
		{"Define nothing", func() { bennu.Define[*room, bennu.Empty, bennu.Empty](nil) }, 1, "Define needs a join function"},
		{"nil handler of an event", func() { bennu.On[*room, bennu.Empty, bennu.Empty](rooms(), "x", nil) }, 1, `event "x": the handler is nil`},
		{"nil handler of a broadcast", func() { bennu.Intercept[*room, bennu.Empty](rooms(), "x", nil) }, 1, `event "x": the handler is nil`},
		{"nil handler of a message", func() { bennu.OnInfo[*room, greeting](rooms(), nil) }, 1, "the messages of type bennu_test.greeting: the handler is nil"},
		{"On of a nil Definition", func() { bennu.On((*bennu.Definition[*room])(nil), "x", noIn) }, 1, "make one with Define"},
		{"On of a zero Definition", func() { bennu.On(new(bennu.Definition[*room]), "x", noIn) }, 1, "make one with Define"},
		{"channel after mount", func() {
			users := one("a", rooms())
			endpoint().Socket("/s", users, nil)
			users.Channel("b", rooms())
		}, 1, "after its SocketHandler was mounted"},
		{"event after mount", func() {
			d := rooms()
			endpoint().Socket("/s", one("a", d), nil)
			bennu.On(d, "x", noIn)
		}, 2, `event "x": the handler is registered after its channel was mounted at `},
		{"interception after mount", func() {
			d := rooms()
			endpoint().Socket("/s", one("a", d), nil)
			bennu.Intercept(d, "x", noOut)
		}, 2, "register all handlers before Endpoint.Socket"},
		{"info after mount, behind middleware", func() {
			d, users := rooms(), bennu.SocketHandler{}
			users.Channel("a", d, embed)
			endpoint().Socket("/s", &users, nil)
			bennu.OnInfo(d, noInfo[greeting])
		}, 2, "register all handlers before Endpoint.Socket"},
		{"path of the WebSocket", func() { endpoint().Socket("/socket/websocket", one("a", rooms()), nil) }, 1,
			`socket "/socket/websocket": clients add "websocket" to the path of a socket by themselves: mount it at "/socket", or set Path in the options of the transport to "websocket" if /socket/websocket/websocket is`},
		{"path of the WebSocket at the root", func() { endpoint().Socket("/WebSocket/", one("a", rooms()), nil) }, 1, `mount it at "/"`},
		{"path of long polling", func() { endpoint().Socket("socket/longpoll", one("a", rooms()), nil) }, 1,
			`mount it at "/socket", or set Path in the options of the transport to "longpoll" if /socket/longpoll/longpoll is`},
		{"whole path of the WebSocket", func() {
			endpoint().Socket("/socket", one("a", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{Path: "/socket/ws"})}})
		}, 1, `the path of transport websocket is "/socket/ws", which begins with the path of the socket, to which it is added: write "ws"`},
		{"path of net/http", func() { endpoint().Socket("/of/{tenant}/socket", one("a", rooms()), nil) }, 1, `"/of/{tenant}/socket" is not a path of segments`},
		{"path of chi", func() { endpoint().Socket("/socket/*", one("a", rooms()), nil) }, 1, `such as ":tenant"`},
		{"URL", func() { endpoint().Socket("ws://localhost:4000/socket", one("a", rooms()), nil) }, 1, "is not a path"},
		{"path twice", func() {
			e := endpoint()
			e.Socket("/s", one("a", rooms()), nil)
			e.Socket("//s/", one("a", rooms()), nil)
		}, 2, "is already mounted"},
		{"covered path", func() {
			e := endpoint()
			e.Socket("/a/socket", one("a", rooms()), nil)
			e.Socket("/:tenant/socket", one("a", rooms()), nil)
		}, 2, "the path /:tenant/socket/websocket takes all requests of /a/socket/websocket"},
		{"path twice with another variable", func() {
			e := endpoint()
			e.Socket("/:a/socket", one("a", rooms()), nil)
			e.Socket("/:_/socket", one("a", rooms()), nil)
		}, 2, "takes all requests of /:a/socket/websocket"},
		{"covered path of the other transport", func() {
			endpoint().Socket("/s", one("a", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(&longpoll.Options{Path: ":any"})}})
		}, 2, "takes all requests of /s/websocket"},
		{"path of a transport in the style of net/http", mountOver(websocket.New(&websocket.Options{Path: "{any}"})), 1, `"{any}" is not a path of segments`},
		{"no transport", mountOver(), 1, "the list of Transports is empty; leave it nil for WebSocket, or list one"},
		{"nil transport", mountOver(websocket.New(nil), nil), 1, "nil (<nil>) as Transports[1]"},
		{"nil pointer as transport", mountOver((*anyName)(nil)), 1, "nil (*bennu_test.anyName) as Transports[0]"},
		{"transport twice", mountOver(websocket.New(nil), longpoll.New(nil), websocket.New(&websocket.Options{Path: "ws"})), 1,
			`the name of Transports[2] is that of Transports[0], "websocket"`},
		{"transport with a bad name", mountOver(&anyName{name: "Lines!"}), 1, `the name of Transports[0] (*bennu_test.anyName) is "Lines!"; its Name must return 1 to 32 of a-z, 0-9 and -`},
		{"transport with a long name", mountOver(&anyName{name: strings.Repeat("a", 33)}), 1, "its Name must return 1 to 32"},
		{"transport without a name", mountOver(&anyName{}), 1, `the name of Transports[0] (*bennu_test.anyName) is ""`},
		{"nil socket handler", func() { endpoint().Socket("/s", nil, nil) }, 1, "the SocketHandler is nil"},
		{"nil Fallback", func() {
			bennu.NewEndpoint(&bennu.EndpointOptions{Fallback: http.HandlerFunc(nil)})
		}, 1, "EndpointOptions.Fallback is a nil http.HandlerFunc"},
		{"nil pointer as Fallback", func() {
			bennu.NewEndpoint(&bennu.EndpointOptions{Fallback: (*http.ServeMux)(nil)})
		}, 1, "EndpointOptions.Fallback is a nil *http.ServeMux"},
		{"zero Logger", func() { bennu.NewEndpoint(&bennu.EndpointOptions{Logger: new(slog.Logger)}) }, 1, "EndpointOptions.Logger has no handler"},
		{"nil pointer as log handler", func() {
			bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New((*slog.TextHandler)(nil))})
		}, 1, "EndpointOptions.Logger has no handler"},
		{"subscribe nothing", func() { endpoint().Subscribe("a", nil) }, 1, "Subscribe needs a function"},
		{"nothing at shutdown", func() { endpoint().OnShutdown(nil) }, 1, "OnShutdown needs a function"},
		{"nil serializer", func() {
			users := one("a", rooms())
			users.Serializers = []wire.Versioned{{Requirement: "~> 2.0.0", Serializer: (*fallible)(nil)}}
			endpoint().Socket("/s", users, nil)
		}, 1, `requirement "~> 2.0.0" has no serializer`},
		{"bad limit", func() {
			endpoint().Socket("/s", one("a", rooms()), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{MaxMessage: -7})}})
		}, 1, "MaxMessage is -7; use 0 for the default or Unlimited"},
		{"Host that is a URL", func() {
			e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler), Host: "https://Example.com:443"})
			e.Socket("/s", one("a", rooms()), &bennu.SocketOptions{Checks: transport.Checks{Origin: transport.SameOrigin(nil)}})
		}, 1, `EndpointOptions: host "https://Example.com:443" is a URL, of which only the host is wanted: write "example.com"`},
		{"token parameter that is a path variable", func() {
			endpoint().Socket("/:token", one("a", rooms()), &bennu.SocketOptions{Checks: transport.Checks{TokenParam: "token"}})
		}, 1, `the path has the variable ":token", which TokenParam names too`},
		{"bad token parameter", func() {
			endpoint().Socket("/s", one("a", rooms()), &bennu.SocketOptions{Checks: transport.Checks{TokenParam: "a[b]"}})
		}, 1, `TokenParam is "a[b]"`},
		{"bad path", func() { endpoint().Socket("/:a/:a", one("a", rooms()), nil) }, 1, "socket"},
		{"bad version", func() {
			users := one("a", rooms())
			users.Serializers = []wire.Versioned{{Requirement: "soon", Serializer: wire.V2(nil)}}
			endpoint().Socket("/s", users, nil)
		}, 1, "soon"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() {
				v := recover()
				text, ok := v.(string)
				if !ok {
					t.Fatalf("panics with %v", v)
				}
				here := regexp.MustCompile(`(registration|support)_test\.go:\d+`).FindAllString(text, -1)
				if len(here) != tc.places || tc.places == 2 && here[0] == here[1] && !strings.Contains(tc.name, "other transport") {
					t.Errorf("names %v, want %d places: %s", here, tc.places, text)
				}
				if !strings.Contains(text, tc.want) {
					t.Errorf("lacks %q: %s", tc.want, text)
				}
			}()
			tc.do()
		})
	}
}

type hangingNil struct{ bennu.ChannelHandler }

// TestRegistrationAfterJoin adds a handler when the channel is in use.
func TestRegistrationAfterJoin(t *testing.T) {
	d := rooms()
	s := serve(t, one("*", d), nil, nil)
	wstest.Dial(t, s.url).Join("a")
	for name, do := range map[string]func(){
		"On":        func() { bennu.On(d, "x", noIn) },
		"Intercept": func() { bennu.Intercept(d, "x", noOut) },
		"OnInfo":    func() { bennu.OnInfo(d, noInfo[int]) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, "after the first join") {
					t.Errorf("%s: %q", name, text)
				}
			}()
			do()
		}()
	}
}

// TestForeignPatterns takes no pattern that is written as routers, brokers or regular
// expressions elsewhere have it, and all that may be meant as it stands.
func TestForeignPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"orders:{user}":      `in topic pattern "orders:{user}" the part "{user}" matches only itself; a pattern is a whole topic, or a prefix with * at its end, as in "orders:*"`,
		"orders:#{id}":       `"{id}" matches only itself`,
		"orders:${id}:*":     `"{id}" matches only itself`,
		"{tenant}:orders":    `as in "*"`,
		"orders:<user>":      `the part "<user>"`,
		"orders::user":       `the part ":user" matches only itself; a pattern is a whole topic, or a prefix with * at its end, as in "orders:*"`,
		"orders/:user/items": `the part ":user" matches only itself; a pattern is a whole topic, or a prefix with * at its end, as in "orders/*"`,
		":tenant:orders":     `the part ":tenant"`,
		"orders:[id]":        `the part "[id]"`,
		"orders:[0-9]+":      `the part "[0-9]"`,
		"orders:%d":          `the part "%d"`,
		"orders:%s:items":    `the part "%s"`,
		"orders/+/items":     `the part "+"`,
		"orders/#":           `as in "orders/*"`,
		"orders:>":           `the part ">"`,
		"orders:?":           `the part "?"`,
		"orders:.*":          `the part ".*"`,
		"orders:.+":          `the part ".+"`,
		"orders:(.+)":        `the part "(.+"`,
		`orders:\d+`:         `the part "\\d+"`,
		`^orders:`:           `the part "^orders"`,
		"orders:(new|old)":   `the part "(new|old)"`,
		"orders:(?P<user>x)": `the part "(?"`,
		"orders:*:{user}":    `the part "{user}"`,
		"orders:*:items":     `the * is not the last character`,
		"orders:{user}\xff":  "can never match",
	} {
		t.Run(pattern, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("panics with %q, want %s", text, want)
				}
			}()
			one(pattern, rooms())
		})
	}
	for _, pattern := range []string{
		"*", "a", "room:*", "room:lobby", "room:1:2:3", "room/1", "room-*", "room.*", "a.b.*", "_x", "room:", ":", "::", "a::",
		"lib::Vec", "fe80::1", "lang:c++", "lang:c#", "quotes:^GSPC", "^GSPC", "prices:US$", "sale:50%discount", "sale:100%", "a b", "a+b", "what?",
		"orders[1]", "General (old)", "(a)", "a<b", "a>b", "a|b", `file:C:\Windows`, `a\b`, "é:*", "日本:*", "lv:phx-F1_x=", "__absinthe__:control",
		"realtime:public:orders:id=eq.1", "user:42@example.com", "a,b", "~a", "!a", "a&b", "100%:*", "room:.", "room:..", "a:.b",
	} {
		one(pattern, rooms())
	}
}

// tellTale is a channel whose join reply says which registration it was.
func tellTale(name string) bennu.ChannelHandler {
	return bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, map[string]string, error) {
		return &room{ch}, map[string]string{"by": name}, nil
	})
}

// TestPatterns finds the first pattern that matches, not the longest.
func TestPatterns(t *testing.T) {
	var users bennu.SocketHandler
	for _, p := range []string{"exact", "prefix", "pre*", "food*", "foo*", "room:*", "*"} {
		users.Channel(p, tellTale(p))
	}
	s := serve(t, &users, nil, nil)
	c := wstest.Dial(t, s.url)
	for topic, want := range map[string]string{
		"exact": "exact", "exactly": "*", "pre": "pre*", "prefix": "prefix", "food": "food*", "fool": "foo*",
		"room:": "room:*", "room:1:2": "room:*", "room": "*", "Room:1": "*", "": "*", "phoenix": "*", "a*": "*", "é": "*",
	} {
		ref := c.Push(topic, "phx_join", "{}")
		c.Expect(wstest.Reply(ref, ref, topic, "ok", `{"by":"`+want+`"}`))
	}
	// A heartbeat is a heartbeat, whoever has joined that topic.
	c.Fence()

	s = serve(t, one("prefix:*", tellTale("prefix")), nil, nil)
	c = wstest.Dial(t, s.url)
	for _, topic := range []string{`""`, `null`, `7`, `["prefix:1"]`, `{"a":1}`, `"other"`, `"prefix"`} {
		c.Send(wstest.Text(`["1","1",` + topic + `,"phx_join",{}]`))
		c.Expect(`[null,"1",` + topic + `,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	}
}

// note is middleware that writes down when it is passed.
func note(log chan string, name string) bennu.Middleware {
	return func(next bennu.ChannelHandler) bennu.ChannelHandler { return noting{next, log, name} }
}

type noting struct {
	next bennu.ChannelHandler
	log  chan string
	name string
}

func (n noting) Join(ctx context.Context, ch *bennu.Channel, p bennu.Payload) (bennu.Instance, bennu.Reply, error) {
	n.log <- n.name + " join"
	i, r, err := n.next.Join(ctx, ch, p)
	n.log <- n.name + " joined"
	return notingInstance{i, n}, r, err
}

type notingInstance struct {
	bennu.Instance
	n noting
}

func (i notingInstance) HandleIn(ctx context.Context, event string, p bennu.Payload) (bennu.Reply, error) {
	i.n.log <- i.n.name + " " + event
	if event == "forbidden" {
		return bennu.Reply{}, bennu.Errorf("forbidden")
	}
	return i.Instance.HandleIn(ctx, event, p)
}

func TestMiddleware(t *testing.T) {
	log := make(chan string, 100)
	var users bennu.SocketHandler
	users.Channel("a", rooms(), note(log, "outer"), note(log, "inner"))
	s := serve(t, &users, nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	c.Want("a", "echo", `{"n":1}`, "ok", `{"n":1}`)
	c.Want("a", "forbidden", `{}`, "error", `{"reason":"forbidden"}`)
	var got []string
	for range 7 {
		got = append(got, waittest.Next(t, "a line of the middleware", log))
	}
	if want := "[outer join inner join inner joined outer joined outer echo inner echo outer forbidden]"; fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// TestMounts mounts one handler at several paths with options of their own.
func TestMounts(t *testing.T) {
	users := one("*", rooms())
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited})
	e.Socket("/a", users, nil)
	e.Socket("/b/:tenant", users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{Path: "ws", MaxMessage: 100})}})
	h := httptest.NewServer(e)
	defer func() {
		h.Close()
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	base := "ws" + strings.TrimPrefix(h.URL, "http")
	long := wstest.Text(`["1","1","a","phx_join",{"x":"` + strings.Repeat("x", 200) + `"}]`)
	a := wstest.Dial(t, base+"/a/websocket?vsn=2.0.0")
	a.Send(long)
	a.Expect(wstest.OK(`"1"`, `"1"`, "a"))
	b := wstest.Dial(t, base+"/b/x/ws?vsn=2.0.0")
	b.Send(long)
	b.ExpectClose(1009)
	a.Fence()
	for _, path := range []string{"/a", "/b/ws", "/b/x/websocket", "/", "/a/websocket/x"} {
		if c, answer := wstest.Open(t, base+path); c != nil || answer.StatusCode != 404 {
			t.Errorf("%s: %v", path, answer.Status)
		}
	}
	if users.Limits.JoinTimeout != 0 {
		t.Error("mounting has changed the handler")
	}
}

// TestConnect refuses and accepts, and keeps what it assigned.
func TestConnect(t *testing.T) {
	users := one("*", bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, any, error) {
		reply := map[string]any{"user": ch.Socket().Assigned("user"), "none": ch.Socket().Assigned("none"), "id": ch.Socket().ID(), "by": ch.Socket().Transport()}
		func() {
			defer func() { reply["assign"] = strings.Contains(fmt.Sprint(recover()), "after Connect") }()
			ch.Socket().Assign("user", "changed")
		}()
		return &room{ch}, reply, nil
	}))
	users.Connect = func(ctx context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch user, _ := info.Params.String("user"); user {
		case "refused":
			return bennu.ErrRefused
		case "reason":
			return errors.New("secret")
		case "panic":
			panic("as asked")
		default:
			s.Assign("user", user)
		}
		return nil
	}
	users.ID = func(s *bennu.Socket) string { return "u:" + s.Assigned("user").(string) }
	s := serve(t, users, nil, nil)
	c := wstest.Dial(t, s.url+"&user=me")
	ref := c.Push("a", "phx_join", "{}")
	c.Expect(wstest.Reply(ref, ref, "a", "ok", `{"user":"me","none":null,"id":"u:me","by":"websocket","assign":true}`))
	for user, status := range map[string]int{"refused": 403, "reason": 403, "panic": 500} {
		if c, answer := wstest.Open(t, s.url+"&user="+user); c != nil || answer.StatusCode != status {
			t.Errorf("%s: %s", user, answer.Status)
		}
	}
	for _, query := range []string{"?vsn=3.0.0", "?vsn=x", "?vsn[]=2.0.0", "?vsn=2.0.0&vsn=9.0.0"} {
		if c, answer := wstest.Open(t, strings.TrimSuffix(s.url, "?vsn=2.0.0")+query); c != nil || answer.StatusCode != 403 {
			t.Errorf("%s: %s", query, answer.Status)
		}
	}
}

// anyName is a transport with a name of its own.
type anyName struct {
	name string
	transport.Transport
}

func (a *anyName) Name() string { return a.name }

// mountOver mounts a socket with a list of transports.
func mountOver(list ...transport.Transport) func() {
	return func() {
		if list == nil {
			list = []transport.Transport{}
		}
		e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
		e.Socket("/s", one("a", rooms()), &bennu.SocketOptions{Transports: list})
	}
}
