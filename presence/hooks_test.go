package presence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// hooked makes options by the name of a hook: each has one hook, which calls f with its topic.
func hooked(f func(topic string)) map[string]presence.Options[person] {
	return map[string]presence.Options[person]{
		"Fetch": {FetchTimeout: 24 * time.Hour, Fetch: func(_ context.Context, topic string, _ []string) (map[string]any, error) {
			f(topic)
			return nil, nil
		}},
		"Changed": {Changed: func(c presence.Change[person]) { f(c.Topic) }},
		"First":   {First: func(topic, _ string) { f(topic) }},
		"Last":    {Last: func(topic, _ string) { f(topic) }},
		"Logger":  {Logger: slog.New(logs{f: func() { f("slow") }})},
	}
}

// logs calls a function for each line.
type logs struct {
	slog.Handler
	f func()
}

func (logs) Enabled(context.Context, slog.Level) bool    { return true }
func (l logs) Handle(context.Context, slog.Record) error { l.f(); return nil }
func (l logs) WithAttrs([]slog.Attr) slog.Handler        { return l }
func (l logs) WithGroup(string) slog.Handler             { return l }

// mounted is an endpoint with rooms that push the state, on a presence.
func mounted(t *testing.T, ps *pubsub.PubSub, here *presence.Presence[person]) *channeltest.Endpoint {
	t.Helper()
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, ch.Send(arrived{})
	})
	bennu.OnInfo(rooms, func(ch *bennu.Channel, _ context.Context, _ arrived) error { return here.PushState(ch) })
	var users bennu.SocketHandler
	users.Channel("*", rooms)
	return channeltest.Mount(t, &users, &bennu.EndpointOptions{PubSub: ps, Logger: discard})
}

// TestHooksThatWait lets each hook block for a minute for one topic. Calls for other topics do not wait,
// nor do calls that read this one. They must not even wait for a lock, since the clock of the bubble would
// not advance then.
func TestHooksThatWait(t *testing.T) {
	var waits func(string)
	for name, o := range hooked(func(topic string) { waits(topic) }) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				waits = func(topic string) {
					if topic == "slow" {
						calls.Add(1)
						time.Sleep(time.Minute)
					}
				}
				ps := pubsub.NewLocal()
				o.Limits.MetaBytes = 100
				if o.Logger == nil {
					o.Logger = quiet
				}
				here, err := presence.New(t.Context(), ps, &o)
				if err != nil {
					t.Fatal(err)
				}
				e := mounted(t, ps, here)
				watch(t, ps, "slow")
				start := time.Now()
				owner := here.NewOwner()
				mustTrack(t, owner, "slow", "ann", "a")
				synctest.Wait()
				owner.Untrack("slow", "ann")
				synctest.Wait()
				go func() { _, _ = owner.Track("slow", "large", person{fmt.Sprintf("%200d", 1)}) }() // is logged
				synctest.Wait()
				if calls.Load() == 0 && name != "Last" {
					t.Fatal("the hook was not called")
				}

				mustTrack(t, owner, "slow", "bob", "b")
				if n := here.Count("slow") + len(here.List("slow")) + len(here.GetByKey("slow", "bob")); n != 3 {
					t.Errorf("count, list and get make %d, want 3", n)
				}
				other := e.Connect(t, nil).Join(t, "quick", nil)
				channeltest.ExpectPush[channeltest.PresenceState[person]](t, other, "presence_state")
				mustTrack(t, owner, "quick", "bob", "b")
				channeltest.ExpectPush(t, other, "presence_diff", func(d channeltest.PresenceDiff[person]) bool {
					return len(d.Joins["bob"].Metas) == 1
				})
				if name != "Fetch" { // lists of the topic wait for the fields of Fetch
					channeltest.ExpectPush[channeltest.PresenceState[person]](t, e.Connect(t, nil).Join(t, "slow", nil), "presence_state")
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("others waited for %v", took)
				}
				time.Sleep(time.Hour)
				if err := here.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestHooksThatEnd lets each hook panic, and end its goroutine: later changes are sent, and no call
// waits forever.
func TestHooksThatEnd(t *testing.T) {
	for how, end := range map[string]func(){
		"panic":  func() { panic("on request") },
		"Goexit": runtime.Goexit,
	} {
		for name, o := range hooked(func(string) { end() }) {
			t.Run(name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ps := pubsub.NewLocal()
					if o.Logger == nil {
						o.Logger = quiet
					}
					here, err := presence.New(t.Context(), ps, &o)
					if err != nil {
						t.Fatal(err)
					}
					e := mounted(t, ps, here)
					c := watch(t, ps, "t")
					owner := here.NewOwner()
					for _, key := range []string{"ann", "bob"} {
						mustTrack(t, owner, "t", key, key)
						synctest.Wait()
						owner.Untrack("t", key)
						synctest.Wait()
						time.Sleep(10 * time.Second) // Fetch is not called meanwhile
					}
					mustTrack(t, owner, "t", "eve", "eve")
					synctest.Wait()
					if got := c.sees(); got != "eve:eve" {
						t.Errorf("a client sees %q", got)
					}
					channeltest.ExpectPush[channeltest.PresenceState[person]](t, e.Connect(t, nil).Join(t, "t", nil), "presence_state")
					if err := here.Close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// TestSubscriberThatEnds lets a subscriber of the program panic, and end its goroutine, on a topic of
// presence.
func TestSubscriberThatEnds(t *testing.T) {
	for how, end := range map[string]func(){
		"panic":  func() { panic("on request") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(how, func(t *testing.T) {
			ps := pubsub.NewLocal()
			here := startPresence(t, ps, presence.Options[person]{})
			var told atomic.Int64
			sub := ps.Subscribe("t", subscriber(func() { told.Add(1); end() }))
			defer sub.Cancel()
			for i := range 3 {
				mustTrack(t, here.NewOwner(), "t", fmt.Sprint(i), "")
				waittest.Until(t, "it is told", func() bool { return told.Load() == int64(i+1) })
			}
		})
	}
}

type subscriber func()

func (s subscriber) Deliver(*pubsub.Dispatch) { s() }

// awkward is a meta whose methods for JSON are those of the test.
type awkward struct{ text string }

func (a awkward) MarshalJSON() ([]byte, error) {
	switch a.text {
	case "panic":
		panic("on request")
	case "Goexit":
		runtime.Goexit()
	case "error":
		return nil, errors.New("on request")
	}
	return []byte(a.text), nil
}

func (a *awkward) UnmarshalJSON(data []byte) error { a.text = string(data); return nil }

// TestMetasThatEnd lets the methods of a meta fail: other entries are tracked, and a meta that is not an
// object is refused.
func TestMetasThatEnd(t *testing.T) {
	here, err := presence.New[awkward](t.Context(), pubsub.NewLocal(), &presence.Options[awkward]{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	owner := here.NewOwner()
	for _, text := range []string{"panic", "Goexit", "error", `[]`, `{}{}`, `{"a":`, `{"phx_ref":"x"}`, `{"phx\u005fref":1}`, `{"PHX_REF_prev":1}`, "{\"a\":\"\xff\"}", "\ufeff{}", `{"a":NaN}`} {
		done := make(chan error)
		go func() {
			err := errors.New("it ended")
			defer func() { _ = recover(); done <- err }()
			_, err = owner.Track("t", text, awkward{text})
		}()
		if err := <-done; err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	for _, text := range []string{`{ }`, "{}\n ", ` { "a" : 1 } `, `{"a":1,"a":2}`} {
		if _, err := owner.Track("t", text, awkward{text}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	var list map[string]struct{ Metas []map[string]any }
	if err := json.Unmarshal(here.State("t"), &list); err != nil || len(list) != 4 {
		t.Errorf("%v in %s", err, here.State("t"))
	}
}
