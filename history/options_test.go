package history_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// remote is an adapter, so that a PubSub has a node.
type remote struct{ pubsub.Adapter }

func (remote) Start(context.Context, pubsub.Receiver) error { return nil }
func (remote) Node() string                                 { return "a" }

func TestOptions(t *testing.T) {
	local := pubsub.NewLocal()
	cluster, err := pubsub.New(t.Context(), &pubsub.Options{Adapter: remote{}})
	if err != nil {
		t.Fatal(err)
	}
	taken := pubsub.NewLocal()
	first, err := history.New(t.Context(), taken, &history.Options{Topics: []history.Topic{{Pattern: "t"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close(context.Background()) }()
	with := func(set func(o *history.Options)) *history.Options {
		o := &history.Options{Topics: []history.Topic{{Pattern: "t*"}}}
		set(o)
		return o
	}
	topic := func(p history.Topic) *history.Options {
		p.Pattern = "t"
		return &history.Options{Topics: []history.Topic{p}}
	}
	var none *store
	down := newStore()
	down.down = errors.New("connection refused")
	for _, test := range []struct {
		ps   *pubsub.PubSub
		o    *history.Options
		want string
	}{
		{local, nil, `option Topics is empty; name the topics to keep, as in []history.Topic{{Pattern: "room:*"}}`},
		{nil, with(func(*history.Options) {}), "the PubSub is nil; pass that of the endpoint"},
		{cluster, with(func(*history.Options) {}), "option Store is nil, which is the memory of this node, and the PubSub has an adapter"},
		{local, with(func(o *history.Options) { o.Store = none }), "option Store is a nil *history_test.store; leave it out"},
		{local, with(func(o *history.Options) { o.Store, o.StoreBytes = newStore(), 1<<20 }), "option StoreBytes is for the default store"},
		{local, with(func(o *history.Options) { o.Store = down }), "history: the store does not answer: connection refused"},
		{local, with(func(o *history.Options) { o.StoreBytes = 1 }), "option StoreBytes is 1; use at least 65536"},
		{local, with(func(o *history.Options) { o.StoreBytes = -1 }), "option StoreBytes is -1; use 0 for the default of 268435456, or up to"},
		{local, with(func(o *history.Options) { o.CacheBytes = -1 }), "option CacheBytes is -1; use 0 for the default of 67108864, or up to"},
		{local, with(func(o *history.Options) { o.PublishTimeout = -1 }), "option PublishTimeout is -1ns; use 0 for the default of 5s, or up to 5m0s"},
		{local, with(func(o *history.Options) { o.PublishTimeout = time.Hour }), "option PublishTimeout is 1h0m0s; use up to 5m0s"},
		{local, with(func(o *history.Options) { o.Check = -1 }), "option Check is -1ns"},
		{local, with(func(o *history.Options) { o.SinceParam = "\xff" }), `option SinceParam is "\xff"; use UTF-8 of at most 64 bytes`},
		{local, with(func(o *history.Options) { o.SinceParam = "offsets" }), `option SinceParam is "offsets", which is the member that has the form of the offsets; use another name`},
		{taken, with(func(*history.Options) {}), "the PubSub has a Log already; give that Log to all endpoints that share the PubSub, or close it first"},
		{local, topic(history.Topic{Size: -1}), "option Topics[0].Size is -1; use 0 for the default of 1000, or up to 100000"},
		{local, topic(history.Topic{Size: 100_001}), "option Topics[0].Size is 100001; use up to 100000"},
		{local, topic(history.Topic{Bytes: -1}), "option Topics[0].Bytes is -1"},
		{local, topic(history.Topic{Age: -1}), "option Topics[0].Age is -1ns"},
		{local, topic(history.Topic{Rewind: -1}), "option Topics[0].Rewind is -1; use 0 for none, or up to 1000"},
		{local, topic(history.Topic{Size: 5, Rewind: 6}), "option Topics[0].Rewind is 6; use up to 5, the Size of the Topic"},
		{local, topic(history.Topic{Size: 5, MaxReplay: 6}), "option Topics[0].MaxReplay is 6; use up to 5"},
		{local, topic(history.Topic{NoResume: true, Rewind: 1}), "option Topics[0].Rewind is 1, and Topics[0].NoResume is true"},
		{local, topic(history.Topic{NoResume: true, MaxReplay: 1}), "option Topics[0].MaxReplay is 1, and Topics[0].NoResume is true"},
	} {
		log, err := history.New(t.Context(), test.ps, test.o)
		if err == nil {
			t.Errorf("no error; want %q", test.want)
			_ = log.Close(context.Background())
			continue
		}
		if !strings.HasPrefix(err.Error(), "history: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v; want %q", err, test.want)
		}
	}
}

// TestNextLog makes a Log on a PubSub whose Log was closed.
func TestNextLog(t *testing.T) {
	ps := pubsub.NewLocal()
	for range 2 {
		log, err := history.New(t.Context(), ps, &history.Options{Topics: []history.Topic{{Pattern: "t"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDefaults(t *testing.T) {
	n := start(t, &history.Options{Topics: []history.Topic{
		{Pattern: "t:last", Size: 1, Rewind: 1},
		{Pattern: "t:*", NoResume: true},
		{Pattern: "*"},
	}})
	if got := n.inside().SinceParam(); got != "since" {
		t.Errorf("%q", got)
	}
	for topic, want := range map[string]string{
		"t:last": "{1 1048576 1 1 false}", "t:x": "{1000 1048576 0 1000 true}", "u": "{1000 1048576 0 1000 false}",
	} {
		if got := fmt.Sprint(*n.inside().Topic(topic)); got != want {
			t.Errorf("%s: %s, want %s", topic, got, want)
		}
	}
	if n.inside().Topic("phx:lp:x") != nil {
		t.Error("a topic of the library is kept")
	}
}

// TestPatterns: a mistake in a pattern panics with the place of the call, and names both patterns.
func TestPatterns(t *testing.T) {
	_, file, _, _ := runtime.Caller(0)
	for _, test := range []struct {
		patterns []string
		want     string
	}{
		{[]string{"a", ""}, "Topics[1]: a topic pattern must not be empty"},
		{[]string{"room:{id}"}, `Topics[0]: in topic pattern "room:{id}" the part "{id}" matches only itself`},
		{[]string{"phx:x"}, "belong to the library"},
		{[]string{"a", "b", "a"}, `topic pattern "a" of Topics[2] is that of Topics[0] already`},
		{[]string{"b", "room:*", "room:1"}, `topic pattern "room:1" of Topics[2] can never match, because "room:*" of Topics[1] takes its topics; write "room:1" before "room:*"`},
	} {
		func() {
			defer func() {
				text := fmt.Sprint(recover())
				if !strings.HasPrefix(text, "history: "+file+":") || !strings.Contains(text, test.want) {
					t.Errorf("%q: %s; want %q", test.patterns, text, test.want)
				}
			}()
			o := new(history.Options)
			for _, p := range test.patterns {
				o.Topics = append(o.Topics, history.Topic{Pattern: p})
			}
			_, err := history.New(t.Context(), pubsub.NewLocal(), o)
			t.Errorf("%q: no panic, and %v", test.patterns, err)
		}()
	}
}
