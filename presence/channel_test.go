package presence_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// visitor is a channel that tracks its user after the join, under the key that the client sends.
type visitor struct {
	*bennu.Channel
	here *presence.Presence[person]
	key  string
}

type appear struct{}

type who struct {
	Key string `json:"key"`
}

// site is a server with rooms.
type site struct {
	*bennu.Endpoint
	url  string
	here *presence.Presence[person]
}

func serve(t *testing.T, ps *pubsub.PubSub, o presence.Options[person]) *site {
	t.Helper()
	here := startPresence(t, ps, o)
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, in who) (*visitor, bennu.Empty, error) {
		if in.Key == "early" { // before the join is over
			if _, err := here.Track(ch, in.Key, person{}); err != nil {
				return nil, bennu.Empty{}, err
			}
			return nil, bennu.Empty{}, &bennu.Error{Reason: "not you"}
		}
		return &visitor{ch, here, in.Key}, bennu.Empty{}, ch.Send(appear{})
	})
	bennu.OnInfo(rooms, func(r *visitor, _ context.Context, _ appear) error {
		if err := r.here.PushState(r.Channel); err != nil {
			return err
		}
		_, err := r.here.Track(r.Channel, r.key, person{"here"})
		return err
	})
	bennu.On(rooms, "boom", func(*visitor, context.Context, bennu.Empty) (bennu.Empty, error) { panic("on request") })
	bennu.On(rooms, "stop", func(*visitor, context.Context, bennu.Empty) (bennu.Empty, error) { return bennu.Empty{}, bennu.Stop })
	bennu.On(rooms, "rename", func(r *visitor, _ context.Context, in person) (bennu.Empty, error) {
		if _, err := r.here.Update(r.Channel, r.key, in); errors.Is(err, presence.ErrTooOften) {
			return bennu.Empty{}, &bennu.Error{Reason: "too often"}
		} else if err != nil {
			return bennu.Empty{}, err
		}
		return bennu.Empty{}, nil
	})
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	e := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited})
	e.OnShutdown(func(context.Context) error { return here.Close() })
	e.Socket("/socket", &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})
	h := httptest.NewServer(e)
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return &site{e, "ws" + strings.TrimPrefix(h.URL, "http") + "/socket/websocket?vsn=2.0.0", here}
}

func (s *site) join(t *testing.T, key string) (c *wstest.Client, ref string) {
	t.Helper()
	c = wstest.Dial(t, s.url)
	ref = c.Push("room:1", "phx_join", fmt.Sprintf(`{"key":%q}`, key))
	if m := c.ReplyTo(ref); m.Status != "ok" {
		t.Fatalf("join: %v", m)
	}
	c.Event("room:1", "presence_state")
	return c, ref
}

func (s *site) eventually(t *testing.T, want string) {
	t.Helper()
	state := func() string { return parse(t, s.here.State("room:1")).String() }
	waittest.Until(t, fmt.Sprintf("the list is %q", want), func() bool { return state() == want })
}

// TestChannelEnds checks that the entry of a channel is removed, however the channel ends.
func TestChannelEnds(t *testing.T) {
	s := serve(t, pubsub.NewLocal(), presence.Options[person]{})
	stays, _ := s.join(t, "stays")
	s.eventually(t, "stays:here")
	for name, end := range map[string]func(c *wstest.Client){
		"leave":     func(c *wstest.Client) { c.Push("room:1", "phx_leave", `{}`) },
		"crash":     func(c *wstest.Client) { c.Push("room:1", "boom", `{}`) },
		"stop":      func(c *wstest.Client) { c.Push("room:1", "stop", `{}`) },
		"cut":       func(c *wstest.Client) { c.Abort() },
		"malformed": func(c *wstest.Client) { c.Send(wstest.Text("{")) },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := s.join(t, "guest")
			s.eventually(t, "guest:here stays:here")
			end(c)
			s.eventually(t, "stays:here")
		})
	}
	// The client that stayed has got all changes, in any number of diffs.
	s.join(t, "last")
	folded := list{}
	for seen := false; !seen; _, seen = folded["last"] {
		m := stays.Event("room:1", "presence_diff")
		var d diff
		if err := jsonInto(m.Payload, &d); err != nil {
			t.Fatal(err)
		}
		for k, e := range d.Joins {
			folded[k] = e
		}
		for k := range d.Leaves {
			delete(folded, k)
		}
	}
	if got := folded.String(); got != "last:here stays:here" {
		t.Errorf("the client that stayed sees %q", got)
	}
}

// TestRefusedJoin tracks in a join that is refused: the entry is removed.
func TestRefusedJoin(t *testing.T) {
	s := serve(t, pubsub.NewLocal(), presence.Options[person]{})
	c := wstest.Dial(t, s.url)
	ref := c.Push("room:1", "phx_join", `{"key":"early"}`)
	if m := c.ReplyTo(ref); m.Status != "error" {
		t.Fatalf("reply %v", m)
	}
	s.eventually(t, "")
}

// TestRejoin joins the topic again on the same connection: the old entry is removed.
func TestRejoin(t *testing.T) {
	s := serve(t, pubsub.NewLocal(), presence.Options[person]{})
	c, _ := s.join(t, "me")
	for range 5 {
		s.eventually(t, "me:here")
		c.Push("room:1", "phx_join", `{"key":"me"}`)
		c.Event("room:1", "presence_state")
	}
	s.eventually(t, "me:here")
}

// TestRate checks the bound of the changes of one connection.
func TestRate(t *testing.T) {
	s := serve(t, pubsub.NewLocal(), presence.Options[person]{Limits: presence.Limits{Burst: 5, Rate: 1}})
	began := time.Now()
	c, _ := s.join(t, "me")
	refused := 0
	for range 20 {
		if status, response := c.Ask("room:1", "rename", `{"name":"x"}`); status == "error" {
			refused++
			if response != `{"reason":"too often"}` {
				t.Errorf("refused with %s", response)
			}
		}
	}
	// The first change was that of the join.
	if allowed := 4 + int(time.Since(began)/time.Second) + 1; refused < 20-allowed {
		t.Errorf("%d of 20 changes in %v were refused, with 5 allowed, and 1 more a second", refused, time.Since(began))
	}
}

// TestNodes has clients of three nodes in one room.
func TestNodes(t *testing.T) {
	var broker pubsubtest.Memory
	fast := presence.Options[person]{}
	fast.Timing.BroadcastPeriod = 50 * time.Millisecond
	fast.Timing.MaxSilentPeriods = 2
	fast.Timing.DownPeriod = 10 * time.Second // no node may count as down on a busy machine
	var sites []*site
	for _, name := range []string{"a", "b", "c"} {
		sites = append(sites, serve(t, pubsubtest.Start(t, broker.Node(t, name), nil), fast))
	}
	all := func(want string) {
		t.Helper()
		for _, s := range sites {
			s.eventually(t, want)
		}
	}
	ann, _ := sites[0].join(t, "ann")
	all("ann:here")
	bob, _ := sites[1].join(t, "bob")
	all("ann:here bob:here")
	again, _ := sites[2].join(t, "ann")
	all("ann:here,here bob:here")
	bob.Push("room:1", "rename", `{"name":"robert"}`)
	all("ann:here,here bob:robert")
	ann.Abort()
	all("ann:here bob:robert")
	again.Abort()
	all("bob:robert")
	// When a node closes without a fault, its users are removed at once.
	if err := sites[1].here.Close(); err != nil {
		t.Error(err)
	}
	sites[0].eventually(t, "")
	sites[2].eventually(t, "")
}

// TestStrangersMeta lets another node track metas that are not JSON objects, or not valid: clients get {}.
// A valid meta with blanks is sent as compact JSON.
func TestStrangersMeta(t *testing.T) {
	var broker pubsubtest.Memory
	o := presence.Options[person]{}
	o.Timing.BroadcastPeriod = 50 * time.Millisecond
	ps := pubsubtest.Start(t, broker.Node(t, "a"), nil)
	p := startPresence(t, ps, o)
	stranger := startTracker(t, pubsubtest.Start(t, broker.Node(t, "stranger"), nil), o.Timing.BroadcastPeriod)
	metas := map[string]string{
		"list": "[1]", "half": `{"name":`, "more": `{},"admin":{}`, "empty": "", "good": `{"name":"x"}`, "null": "null",
		"blank": `{ }`, "behind": "{}\n ", "before": ` {"name":""}`, "loose": "{ \"name\" : \"x\" , \"a\":[ 1 ] }",
		"ref": `{"name":"x","phx_ref":"forged"}`, "prev": `{"phx_ref_prev":"forged"}`, "escaped": `{"phx\u005fref":"forged"}`,
		"case": `{"PHX_Ref":"forged"}`, "spaced ref": `{"a":[{"phx_ref":1}], "phx_ref" : "forged"}`,
		"inner": `{"name":"x","a":{"phx_ref":"mine"},"b":"phx_ref"}`,
		"bom":   "\ufeff{}", "utf8": "{\"name\":\"\xff\"}", "nan": `{"name":NaN}`, "comma": `{"name":"x",}`, "twice": `{"name":"y","name":"x"}`,
		"deep": `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}",
	}
	shown := map[string]bool{"good": true, "loose": true, "inner": true, "twice": true}
	c := watch(t, ps, "t")
	for key, m := range metas {
		if _, err := stranger.Track("t", 1, key, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for key := range metas {
		line := key + ":"
		if shown[key] {
			line += "x"
		}
		want = append(want, line)
	}
	slices.Sort(want)
	c.eventually(t, strings.Join(want, " "))
	c.check(t)
	if got := parse(t, p.State("t")).String(); got != strings.Join(want, " ") {
		t.Errorf("state %s", got)
	}
	if s := string(p.State("t")); strings.Contains(s, "forged") {
		t.Errorf("another node chose a ref: %s", s)
	}
	if l := p.List("t"); len(l) != len(metas) || l["good"][0].Meta.Name != "x" || l["list"][0].Meta.Name != "" {
		t.Errorf("list %+v", l)
	}
}
