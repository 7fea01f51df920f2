package bennu_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/pubsubtest"
)

// TestEndpointSubscribe hears a topic, one broadcast at a time and in order, past a
// panic and a Goexit.
func TestEndpointSubscribe(t *testing.T) {
	s := serve(t, one("*", rooms()), nil, nil)
	heard := make(chan bennu.Broadcast, 100)
	sub := s.Subscribe("news", func(ctx context.Context, b bennu.Broadcast) {
		switch b.Event {
		case "panic":
			panic("as asked")
		case "goexit":
			runtime.Goexit()
		}
		if ctx.Err() == nil {
			heard <- b
		}
	})
	events := []string{"one", "panic", "two", "goexit", "three"}
	for i, event := range events {
		if err := s.Broadcast("news", event, map[string]int{"i": i}); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{"one", "two", "three"} {
		b := waittest.Next(t, want, heard)
		if b.Event != want || b.Topic != "news" || b.Missed != 0 || string(b.Payload.Data) != fmt.Sprintf(`{"i":%d}`, slices.Index(events, want)) {
			t.Errorf("heard %+v, want %s", b, want)
		}
	}
	lines := strings.Join(s.log.about("subscription panicked"), "\n")
	if !strings.Contains(lines, "as asked") || !strings.Contains(lines, "Goexit") {
		t.Errorf("logged %q", lines)
	}
	sub.Cancel()
	sub.Cancel()
	if err := s.Broadcast("news", "four", nil); err != nil {
		t.Error(err)
	}
	if n := s.PubSub().Topics(); n != 0 || len(heard) != 0 {
		t.Errorf("after Cancel: %d topics, %d heard", n, len(heard))
	}
}

// TestEndpointSubscribeMissed lets a subscriber be slow: what it misses is counted, and it is
// told by the next that it gets.
func TestEndpointSubscribeMissed(t *testing.T) {
	s := serve(t, one("*", rooms()), nil, nil)
	heard, open := make(chan bennu.Broadcast, 10_000), make(chan struct{})
	entered := make(chan struct{})
	sub := s.Subscribe("news", func(_ context.Context, b bennu.Broadcast) {
		if b.Event == "first" {
			close(entered)
			<-open
		}
		heard <- b
	})
	defer sub.Cancel()
	broadcast := func(event string) {
		if err := s.Broadcast("news", event, nil); err != nil {
			t.Error(err)
		}
	}
	broadcast("first")
	waittest.Next(t, "the first", entered)
	for i := range 1024 + 7 {
		broadcast(fmt.Sprint(i))
	}
	if n := s.Stats().MissedEvents; n != 7 {
		t.Errorf("%d counted as missed, want 7", n)
	}
	close(open)
	waittest.Next(t, "the first", heard)
	for i := range 1024 {
		if b := waittest.Next(t, "the next", heard); b.Event != fmt.Sprint(i) || b.Missed != 0 {
			t.Fatalf("heard %+v, want %d", b, i)
		}
	}
	broadcast("last")
	if b := waittest.Next(t, "the last", heard); b.Event != "last" || b.Missed != 7 {
		t.Errorf("heard %+v, want 7 missed", b)
	}
}

// TestEndpointSubscribeGap tells a subscriber that broadcasts of other nodes may have been missed,
// once until the next that it gets.
func TestEndpointSubscribeGap(t *testing.T) {
	var broker pubsubtest.Memory
	l := &lossy{Adapter: broker.Node(t, "a")}
	s := serve(t, one("*", rooms()), nil, &bennu.EndpointOptions{PubSub: pubsubtest.Start(t, l, nil)})
	heard := make(chan bennu.Broadcast, 100)
	defer s.Subscribe("news", func(_ context.Context, b bennu.Broadcast) { heard <- b }).Cancel()
	over := make(chan struct{})
	for i, gaps := range [][]pubsub.Gap{
		{{Cause: bennu.ErrGap}},
		{{Topic: "news", Cause: bennu.ErrGap}, {Topic: "news", Cause: bennu.ErrGap}},
		{{Topic: "news", Cause: bennu.ErrGap, Over: over}},
		{{Topic: "news", Cause: bennu.ErrGap, Over: over}, {Topic: "news", Cause: bennu.ErrGap}},
	} {
		for _, g := range gaps {
			l.Gap(g)
		}
		eventually(t, "it is told", func() bool { return s.Stats().Reasons["subscriber_gap"] == int64(i+1) })
		for _, want := range []int{1, 0} {
			if err := s.Broadcast("news", "x", nil); err != nil {
				t.Error(err)
			}
			if b := waittest.Next(t, "a broadcast", heard); b.Missed != want {
				t.Errorf("gap %d: missed %d, want %d", i, b.Missed, want)
			}
		}
	}
}
