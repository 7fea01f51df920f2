package presence

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/pubsub"
)

// TestTopicsThatWaitForHooks tracks and untracks topics while a hook blocks: no memory is kept for those
// that have ended, and hooks are called for the others in order.
func TestTopicsThatWaitForHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		var told []string
		p, err := New(t.Context(), pubsub.NewLocal(), &Options[struct{}]{Changed: func(c Change[struct{}]) {
			<-hangs
			told = append(told, c.Topic)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		goOn := sync.OnceFunc(func() { close(hangs) })
		defer goOn()
		o := p.NewOwner()
		track := func(topic string) {
			t.Helper()
			if _, err := o.Track(topic, "k", struct{}{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		track("first") // whose hook hangs
		track("b")
		for i := range 10 {
			topic := fmt.Sprint("room:", i)
			track(topic)
			o.Untrack(topic, "k")
			synctest.Wait()
		}
		track("a")
		o.Untrack("first", "k")
		synctest.Wait()
		h := &p.core.hooks
		if h.waiting.Len() != 3 || len(h.topics) != 3 {
			t.Errorf("%d topics wait, and %d are kept; want b, a and first", h.waiting.Len(), len(h.topics))
		}
		goOn()
		synctest.Wait()
		if got := strings.Join(told, " "); got != "first b a first" || h.waiting.Len()+len(h.topics) != 0 {
			t.Errorf("told of %q, %d topics wait", got, h.waiting.Len())
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestLastPlace lets several owners track at once when a topic has room for one entry: one succeeds.
func TestLastPlace(t *testing.T) {
	p, err := New(t.Context(), pubsub.NewLocal(), &Options[struct{}]{Limits: Limits{Entries: 1}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range 200 {
		topic := fmt.Sprint("room:", i)
		start := make(chan struct{})
		var owners sync.WaitGroup
		for k := range 8 {
			owners.Go(func() {
				<-start
				_, _ = p.NewOwner().Track(topic, fmt.Sprint(k), struct{}{})
			})
		}
		close(start)
		owners.Wait()
		if n := p.Count(topic); n != 1 {
			t.Fatalf("%d entries, want 1", n)
		}
	}
}
