package presence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/tracker"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

func TestMain(m *testing.M) { waittest.Main(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

type person struct {
	Name string `json:"name,omitempty"`
}

// startPresence makes a presence that is closed at the end of the test.
func startPresence(t testing.TB, ps *pubsub.PubSub, o presence.Options[person]) *presence.Presence[person] {
	t.Helper()
	o.Logger = quiet
	p, err := presence.New(t.Context(), ps, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// meta is an entry as a client gets it.
type meta struct {
	Ref  string `json:"phx_ref"`
	Prev string `json:"phx_ref_prev"`
	Name string `json:"name"`
}

type (
	entry struct {
		Metas []meta `json:"metas"`
		Extra any    `json:"extra"`
	}
	list map[string]entry
	diff struct{ Joins, Leaves list }
)

// client is a subscriber that handles messages as the Presence of the stock client does.
type client struct {
	mu     sync.Mutex
	log    []string // event and payload
	state  list
	faults []string
}

func watch(t testing.TB, ps *pubsub.PubSub, topic string) *client {
	c := &client{state: list{}}
	sub := ps.Subscribe(topic, c)
	t.Cleanup(sub.Cancel)
	return c
}

// Deliver implements pubsub.Subscriber.
func (c *client) Deliver(d *pubsub.Dispatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, d.Event+" "+string(d.Payload))
	switch d.Event {
	case "presence_state":
		c.state = list{}
		if err := json.Unmarshal(d.Payload, &c.state); err != nil {
			c.faults = append(c.faults, err.Error())
		}
	case "presence_diff":
		var diff diff
		if err := json.Unmarshal(d.Payload, &diff); err != nil {
			c.faults = append(c.faults, err.Error())
		}
		c.apply(diff)
	}
}

func (c *client) apply(d diff) {
	for key, joined := range d.Joins {
		e := c.state[key]
		for _, m := range joined.Metas {
			if slices.ContainsFunc(e.Metas, func(is meta) bool { return is.Ref == m.Ref }) {
				c.faults = append(c.faults, "joins twice: "+m.Ref)
			}
			e.Metas = append(e.Metas, m)
		}
		c.state[key] = e
	}
	for key, left := range d.Leaves {
		e := c.state[key]
		for _, m := range left.Metas {
			i := slices.IndexFunc(e.Metas, func(is meta) bool { return is.Ref == m.Ref })
			if i < 0 {
				c.faults = append(c.faults, "leaves without a join: "+m.Ref)
				continue
			}
			e.Metas = slices.Delete(slices.Clone(e.Metas), i, i+1)
		}
		if c.state[key] = e; len(e.Metas) == 0 {
			delete(c.state, key)
		}
	}
}

// sees returns the list of the client: for each key the names of its metas.
func (c *client) sees() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.String()
}

func (l list) String() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(l)) {
		var names []string
		for _, m := range l[key].Metas {
			names = append(names, m.Name)
		}
		slices.Sort(names)
		fmt.Fprintf(&b, "%s:%s ", key, strings.Join(names, ","))
	}
	return strings.TrimSpace(b.String())
}

func (c *client) events() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

func (c *client) check(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		t.Error(f)
	}
}

func parse(t testing.TB, raw []byte) list {
	t.Helper()
	l := list{}
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return l
}

func (c *client) eventually(t testing.TB, want string) {
	t.Helper()
	waittest.Until(t, fmt.Sprintf("a client sees %q; it sees %q", want, c.sees()), func() bool { return c.sees() == want })
}

func mustTrack(t testing.TB, o *presence.Owner[person], topic, key, name string) (ref string) {
	t.Helper()
	ref, err := o.Track(topic, key, person{name})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestTrack(t *testing.T) {
	ps := pubsub.NewLocal()
	p := startPresence(t, ps, presence.Options[person]{})
	c := watch(t, ps, "t")
	a, b := p.NewOwner(), p.NewOwner()
	first := mustTrack(t, a, "t", "ann", "laptop")
	mustTrack(t, b, "t", "ann", "phone")
	mustTrack(t, b, "t", "bob", "tab")
	mustTrack(t, b, "other", "bob", "tab")
	c.eventually(t, "ann:laptop,phone bob:tab")

	if l := p.List("t"); len(l) != 2 || len(l["ann"]) != 2 || l["bob"][0].Meta.Name != "tab" || l["bob"][0].Ref == "" {
		t.Errorf("list %+v", l)
	}
	if l := p.GetByKey("t", "ann"); len(l) != 2 {
		t.Errorf("get %+v", l)
	}
	if l := p.GetByKey("t", "nobody"); l != nil {
		t.Errorf("get of nobody %+v", l)
	}
	if n := p.Count("t"); n != 3 {
		t.Errorf("count %d", n)
	}
	if got := parse(t, p.State("t")).String(); got != "ann:laptop,phone bob:tab" {
		t.Errorf("state %s", got)
	}
	if got := string(p.State("nowhere")); got != "{}" {
		t.Errorf("state of an empty topic %s", got)
	}

	second, err := a.Update("t", "ann", person{"desk"})
	if err != nil || second == first {
		t.Errorf("update: %q, %v", second, err)
	}
	c.eventually(t, "ann:desk,phone bob:tab")
	if _, err := a.UpdateFunc("t", "ann", func(u person) person { return person{u.Name + "!"} }); err != nil {
		t.Error(err)
	}
	c.eventually(t, "ann:desk!,phone bob:tab")
	b.Untrack("t", "bob")
	b.Untrack("t", "bob")
	c.eventually(t, "ann:desk!,phone")
	b.Close()
	c.eventually(t, "ann:desk!")
	if _, err := b.Track("t", "late", person{}); err == nil {
		t.Error("an owner that has ended tracks")
	}
	c.check(t)
}

// TestUpdateIsOneDiff checks that an update is one event with a join and a leave, and has the old ref.
func TestUpdateIsOneDiff(t *testing.T) {
	ps := pubsub.NewLocal()
	p := startPresence(t, ps, presence.Options[person]{})
	c := watch(t, ps, "t")
	o := p.NewOwner()
	first := mustTrack(t, o, "t", "k", "1")
	c.eventually(t, "k:1")
	if _, err := o.Update("t", "k", person{"2"}); err != nil {
		t.Fatal(err)
	}
	c.eventually(t, "k:2")
	events := c.events()
	if len(events) != 2 {
		t.Fatalf("events %q", events)
	}
	var d diff
	if err := json.Unmarshal([]byte(strings.TrimPrefix(events[1], "presence_diff ")), &d); err != nil {
		t.Fatal(err)
	}
	if d.Joins["k"].Metas[0].Prev != first || d.Leaves["k"].Metas[0].Ref != first {
		t.Errorf("diff %+v, want prev and left ref %s", d, first)
	}
}

func TestErrors(t *testing.T) {
	ps := pubsub.NewLocal()
	p := startPresence(t, ps, presence.Options[person]{Limits: presence.Limits{Entries: 2, MetaBytes: 50}})
	o := p.NewOwner()
	mustTrack(t, o, "t", "k", "1")
	for name, try := range map[string]struct {
		do   func() (string, error)
		want error
	}{
		"tracked":     {func() (string, error) { return o.Track("t", "k", person{}) }, presence.ErrTracked},
		"not tracked": {func() (string, error) { return o.Update("t", "other", person{}) }, presence.ErrNotTracked},
		"func":        {func() (string, error) { return o.UpdateFunc("t", "other", nil) }, presence.ErrNotTracked},
		"large":       {func() (string, error) { return o.Track("t", "l", person{strings.Repeat("x", 50)}) }, presence.ErrTooLarge},
		"long key":    {func() (string, error) { return o.Track("t", strings.Repeat("k", 5000), person{}) }, presence.ErrTooLarge},
	} {
		if _, err := try.do(); !errors.Is(err, try.want) {
			t.Errorf("%s: %v, want %v", name, err, try.want)
		}
	}
	mustTrack(t, o, "t", "k2", "")
	if _, err := o.Track("t", "k3", person{}); !errors.Is(err, presence.ErrFull) {
		t.Errorf("a full topic: %v", err)
	}
	for name, try := range map[string]any{
		"a list": []int{1}, "a number": 1, "null": nil, "a ref": map[string]string{"phx_ref": "x"}, "a ref from before": map[string]string{"phx_ref_prev": "x"},
	} {
		anything, err := presence.New[any](t.Context(), ps, &presence.Options[any]{Name: name, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := anything.NewOwner().Track("t", "k", try); !errors.Is(err, presence.ErrNotObject) {
			t.Errorf("%s as a meta: %v", name, err)
		}
		anything.Close()
	}
	objects, err := presence.New(t.Context(), ps, &presence.Options[map[string]int]{Name: "objects", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Close()
	if _, err := objects.NewOwner().Track("t", "k", nil); err != nil || string(objects.State("t")) == "" {
		t.Errorf("a nil map as a meta: %v", err)
	}
	if _, err := objects.Track(nil, "k", nil); err == nil || !strings.Contains(err.Error(), "Channel is nil") {
		t.Errorf("a nil channel: %v", err)
	}
	if err := objects.PushState(nil); err == nil {
		t.Error("a nil channel was pushed a state")
	}
	objects.Untrack(nil, "k")
	if _, err := presence.New[person](t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "the PubSub is nil") {
		t.Errorf("without a PubSub: %v", err)
	}
	for name, o := range map[string]presence.Options[person]{
		"limit":     {Limits: presence.Limits{Entries: -2}},
		"meta":      {Limits: presence.Limits{MetaBytes: 1 << 20}},
		"timeout":   {FetchTimeout: -1},
		"delay":     {LeaveDelay: time.Hour},
		"no delay":  {LeaveDelay: -1},
		"sample":    {Large: &presence.Large{Entries: 10, Sample: 20}},
		"every":     {Large: &presence.Large{Every: time.Nanosecond}},
		"timing":    {Timing: presence.Timing{DownPeriod: time.Millisecond}},
		"history":   {Limits: presence.Limits{History: bennu.Unlimited}},
		"messages":  {Limits: presence.Limits{MessageBytes: 1000}},
		"shards":    {Shards: -1},
		"long name": {Name: strings.Repeat("n", 1000)},
	} {
		if _, err := presence.New(t.Context(), ps, &o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestHostileKeys has keys and metas that need escapes in JSON, or look like other JSON.
func TestHostileKeys(t *testing.T) {
	ps := pubsub.NewLocal()
	p := startPresence(t, ps, presence.Options[person]{})
	c := watch(t, ps, "t")
	o := p.NewOwner()
	keys := []string{"", `"`, `\`, "\n", "\x00", "é", "\u2028", "__proto__", "constructor", "1", `":{"metas":[]},"`, "a\xff"}
	for _, key := range keys {
		mustTrack(t, o, "t", key, key)
	}
	waittest.Until(t, "all keys are there", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.state) == len(keys)
	})
	for _, key := range keys[:len(keys)-1] {
		if l := parse(t, p.State("t")); len(l[key].Metas) != 1 || l[key].Metas[0].Name != key {
			t.Errorf("key %q: %+v", key, l[key])
		}
	}
	o.Close()
	c.eventually(t, "")
	c.check(t)
}

// TestFetch adds fields with Fetch, which is called once for each diff and list.
func TestFetch(t *testing.T) {
	ps := pubsub.NewLocal()
	var mu sync.Mutex
	var calls [][]string
	p := startPresence(t, ps, presence.Options[person]{FetchTimeout: patience, Fetch: func(_ context.Context, topic string, keys []string) (map[string]any, error) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, keys)
		fields := map[string]any{"stranger": map[string]any{"extra": "nobody asked"}}
		for _, k := range keys {
			if k != "plain" {
				fields[k] = map[string]any{"extra": topic + "/" + k}
			}
		}
		return fields, nil
	}})
	c := watch(t, ps, "t")
	o := p.NewOwner()
	mustTrack(t, o, "t", "a", "1")
	c.eventually(t, "a:1")
	if _, err := o.Update("t", "a", person{"2"}); err != nil {
		t.Error(err)
	}
	c.eventually(t, "a:2")
	mustTrack(t, o, "t", "plain", "3")
	c.eventually(t, "a:2 plain:3")
	l := parse(t, p.State("t"))
	if l["a"].Extra != "t/a" || l["plain"].Extra != nil || l.String() != "a:2 plain:3" {
		t.Errorf("state %+v", l)
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(calls) != "[[a] [a] [plain] [a plain]]" {
		t.Errorf("calls %v; want one for each diff and list, with all keys", calls)
	}
	for _, e := range c.events() {
		if strings.Contains(e, `"a":{`) && !strings.Contains(e, `"extra":"t/a"`) {
			t.Errorf("%s has no fields", e)
		}
	}
}

// TestFetchFails checks that presence works without the fields when Fetch fails in any way, and does not
// call it again for a while.
func TestFetchFails(t *testing.T) {
	for name, hook := range map[string]func(ctx context.Context, topic string, keys []string) (map[string]any, error){
		"error":     func(context.Context, string, []string) (map[string]any, error) { return nil, errors.New("no database") },
		"panic":     func(context.Context, string, []string) (map[string]any, error) { panic("no database") },
		"no object": func(context.Context, string, []string) (map[string]any, error) { return map[string]any{"a": 1}, nil },
		"no JSON": func(context.Context, string, []string) (map[string]any, error) {
			return map[string]any{"a": func() {}}, nil
		},
		"slow": func(ctx context.Context, _ string, _ []string) (map[string]any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"slower": func(ctx context.Context, _ string, _ []string) (map[string]any, error) {
			time.Sleep(time.Minute)
			return nil, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				ps := pubsub.NewLocal()
				p := startPresence(t, ps, presence.Options[person]{Fetch: func(ctx context.Context, topic string, keys []string) (map[string]any, error) {
					calls.Add(1)
					return hook(ctx, topic, keys)
				}})
				c := watch(t, ps, "t")
				o := p.NewOwner()
				mustTrack(t, o, "t", "a", "1")
				time.Sleep(3 * time.Second) // the timeout is 2
				if got := c.sees(); got != "a:1" {
					t.Errorf("after the timeout a client sees %q", got)
				}
				for i := range 20 {
					mustTrack(t, o, "t", fmt.Sprint(i), "x")
				}
				time.Sleep(time.Second)
				if calls := calls.Load(); calls != 1 {
					t.Errorf("%d calls, want 1: a hook that failed is left alone", calls)
				}
				if l := p.List("t"); len(l) != 21 {
					t.Errorf("%d keys", len(l))
				}
				time.Sleep(10 * time.Second)
				mustTrack(t, o, "t", "b", "x")
				synctest.Wait()
				if calls := calls.Load(); calls != 2 {
					t.Errorf("%d calls, want 2: it is asked again some time later", calls)
				}
				p.Close()
			})
		})
	}
}

// TestHooks checks that the hooks are called for changes and users, in order, also after a panic.
func TestHooks(t *testing.T) {
	ps := pubsub.NewLocal()
	var mu sync.Mutex
	var log []string
	note := func(format string, v ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, v...))
	}
	p := startPresence(t, ps, presence.Options[person]{
		Changed: func(c presence.Change[person]) {
			note("changed %s +%d -%d", c.Topic, len(c.Joins), len(c.Leaves))
			if m := c.Joins["boom"]; m != nil {
				panic(m[0].Meta.Name)
			}
		},
		First: func(topic, key string) { note("first %s %s", topic, key) },
		Last:  func(topic, key string) { note("last %s %s", topic, key) },
	})
	laptop, phone := p.NewOwner(), p.NewOwner()
	step := func(want ...string) {
		t.Helper()
		waittest.Until(t, fmt.Sprintf("%q", want), func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(log) >= len(want)
		})
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(log, want) {
			t.Errorf("got %q, want %q", log, want)
		}
		log = nil
	}
	mustTrack(t, laptop, "t", "ann", "laptop")
	step("changed t +1 -0", "first t ann")
	mustTrack(t, phone, "t", "ann", "phone")
	step("changed t +1 -0")
	if _, err := phone.Update("t", "ann", person{"p"}); err != nil {
		t.Error(err)
	}
	step("changed t +1 -1")
	laptop.Close()
	step("changed t +0 -1")
	phone.Close()
	step("changed t +0 -1", "last t ann")
	o := p.NewOwner()
	mustTrack(t, o, "t", "boom", "x")
	step("changed t +1 -0", "first t boom")
}

// TestLeaveDelay lets a user come back before the leave is sent to others.
func TestLeaveDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := pubsub.NewLocal()
		var users []string
		p := startPresence(t, ps, presence.Options[person]{
			LeaveDelay: 2 * time.Second,
			First:      func(_, key string) { users = append(users, "+"+key) },
			Last:       func(_, key string) { users = append(users, "-"+key) },
		})
		c := watch(t, ps, "t")
		first, other := p.NewOwner(), p.NewOwner()
		mustTrack(t, first, "t", "ann", "before")
		mustTrack(t, other, "t", "bob", "b")
		synctest.Wait()
		first.Close()
		time.Sleep(time.Second)
		if got := c.sees(); got != "ann:before bob:b" {
			t.Errorf("a client sees %q", got)
		}
		if got := parse(t, p.State("t")).String(); got != "ann:before bob:b" {
			t.Errorf("who comes now is told %q; what the others see is right", got)
		}
		if n := len(p.GetByKey("t", "ann")); n != 1 || p.Count("t") != 2 {
			t.Errorf("get %d, count %d", n, p.Count("t"))
		}
		again := p.NewOwner()
		mustTrack(t, again, "t", "ann", "after")
		synctest.Wait()
		if got := c.sees(); got != "ann:after bob:b" {
			t.Errorf("a client sees %q", got)
		}
		events := c.events()
		if last := events[len(events)-1]; !strings.Contains(last, "before") || !strings.Contains(last, "after") {
			t.Errorf("%s: want join and leave in one diff", last)
		}
		// This time the user does not come back.
		again.Close()
		time.Sleep(1999 * time.Millisecond)
		synctest.Wait()
		if got := c.sees(); got != "ann:after bob:b" {
			t.Errorf("a client sees %q", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := c.sees(); got != "bob:b" {
			t.Errorf("a client sees %q", got)
		}
		if fmt.Sprint(users) != "[+ann +bob -ann]" {
			t.Errorf("users %v", users)
		}
		other.Close()
		p.Close() // with a leave held back
		c.check(t)
	})
}

// TestLarge has a topic that grows above Large.Entries and becomes smaller again.
func TestLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := pubsub.NewLocal()
		p := startPresence(t, ps, presence.Options[person]{Large: &presence.Large{Entries: 100, Sample: 5, Every: time.Second}})
		c := watch(t, ps, "t")
		o := p.NewOwner()
		for i := range 100 {
			mustTrack(t, o, "t", fmt.Sprintf("%03d", i), "x")
			synctest.Wait()
		}
		if len(c.state) != 100 {
			t.Errorf("a client sees %d keys", len(c.state))
		}
		twice := p.NewOwner()
		mustTrack(t, twice, "t", "000", "again")
		synctest.Wait()
		events := c.events()
		if len(events) != 102 || !strings.HasPrefix(events[100], "presence_state ") || !strings.HasPrefix(events[101], `presence_count {"metas":101,"keys":100,"sample":{`) {
			t.Fatalf("last events %q", events[100:])
		}
		if len(c.state) != 5 {
			t.Errorf("the state of a large topic has %d keys, want 5", len(c.state))
		}
		for i := range 50 {
			mustTrack(t, o, "t", fmt.Sprintf("more %d", i), "x")
			synctest.Wait()
		}
		if n := len(c.events()); n != 102 {
			t.Errorf("%d events: each change is told", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		events = c.events()
		if len(events) != 103 || !strings.HasPrefix(events[102], `presence_count {"metas":151,"keys":150,`) {
			t.Errorf("last events %q", events[102:])
		}
		time.Sleep(time.Hour)
		if n := len(c.events()); n != 103 {
			t.Errorf("%d events, though nothing has changed", n)
		}
		for i := range 50 {
			o.Untrack("t", fmt.Sprintf("more %d", i))
		}
		for i := range 21 {
			o.Untrack("t", fmt.Sprintf("%03d", 50+i))
			synctest.Wait()
		}
		twice.Close()
		synctest.Wait()
		if got := len(c.state); got != 79 {
			t.Errorf("below the threshold a client sees %d keys, want all 79", got)
		}
		mustTrack(t, o, "t", "new", "x")
		synctest.Wait()
		events = c.events()
		if last := events[len(events)-1]; !strings.HasPrefix(last, "presence_diff") || len(c.state) != 80 {
			t.Errorf("%d keys, last event %s", len(c.state), last)
		}
		c.check(t)
		p.Close()
	})
}

// TestLargeDiff makes a large change, which is sent in several diffs. Together they give the list.
func TestLargeDiff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := pubsub.NewLocal()
		slow := make(chan struct{})
		p := startPresence(t, ps, presence.Options[person]{
			Limits: presence.Limits{Entries: bennu.Unlimited},
			Fetch: func(context.Context, string, []string) (map[string]any, error) {
				<-slow // changes in this time are sent together
				return nil, nil
			},
		})
		c := watch(t, ps, "t")
		o, gone := p.NewOwner(), p.NewOwner()
		mustTrack(t, o, "t", "0", "")
		synctest.Wait()
		const n = 5000
		for i := range n {
			if i > 0 {
				mustTrack(t, o, "t", fmt.Sprint(i), strings.Repeat("x", 100))
			}
			mustTrack(t, gone, "t", fmt.Sprint("gone", i), "")
		}
		gone.Close()
		close(slow)
		time.Sleep(10 * time.Second) // at 512 KiB a second
		synctest.Wait()
		if len(c.state) != n {
			t.Errorf("a client sees %d keys, want %d", len(c.state), n)
		}
		events := c.events()
		for _, e := range events {
			if len(e) > 65<<10 {
				t.Errorf("a diff of %d bytes", len(e))
			}
			if strings.Contains(e, "gone") {
				t.Error("who came and went is told")
			}
		}
		if len(events) < 3 {
			t.Errorf("%d diffs", len(events))
		}
		c.check(t)
		p.Close()
	})
}

func jsonInto(text string, v any) error { return json.Unmarshal([]byte(text), v) }

func startTracker(t *testing.T, ps *pubsub.PubSub, period time.Duration) *tracker.Tracker {
	t.Helper()
	tr, err := tracker.Start(t.Context(), ps, tracker.Options{BroadcastPeriod: period, Logger: quiet}, func(*tracker.Tracker, tracker.Diff) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}
