package history_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/waittest"
)

// faulty makes the appends of a store go wrong at random: they are refused, their answers are lost,
// they come late, or a copy of the request is done later.
type faulty struct {
	*store
	mu   sync.Mutex
	rand *rand.Rand
	late sync.WaitGroup // appends that are done later
}

func newFaulty(seed uint64) *faulty {
	f := &faulty{store: newStore(), rand: rand.New(rand.NewPCG(seed, 1))}
	f.append = f.try
	return f
}

func (f *faulty) int(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rand.IntN(n)
}

func (f *faulty) try(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	slow := time.Duration(f.int(50)) * time.Millisecond
	if f.int(10) == 0 {
		slow = time.Duration(f.int(8000)) * time.Millisecond
	}
	switch f.int(8) {
	case 0: // it does not arrive
		wait(ctx, slow)
		return history.Place{}, history.ErrUnavailable
	case 1: // the answer is lost
		_, _ = f.Store.Append(ctx, topic, e, o)
		wait(ctx, slow)
		return history.Place{}, history.ErrUnknown
	case 2: // it arrives when nobody waits any more
		entry, options := *e, *o
		if o.After != nil {
			after := *o.After
			options.After = &after
		}
		f.late.Go(func() {
			time.Sleep(slow)
			_, _ = f.Store.Append(context.Background(), topic, &entry, &options)
		})
		return history.Place{}, errors.New("connection reset")
	case 3: // the store does not see that its context has ended
		time.Sleep(slow)
	case 4:
		if wait(ctx, slow); ctx.Err() != nil {
			return history.Place{}, fmt.Errorf("%w: %w", history.ErrUnavailable, ctx.Err())
		}
	}
	return f.Store.Append(ctx, topic, e, o)
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// TestFaults: whatever the store does and whenever publishers go away, a publish that returned an
// offset has its message there once and delivered once, one that returned an error has it nowhere, and
// only after ErrUnknown it may be in either of these.
func TestFaults(t *testing.T) {
	for seed := range waittest.Sized(uint64(100), 3000) {
		synctest.Test(t, func(t *testing.T) { checkFaults(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func checkFaults(t *testing.T, seed uint64) {
	const publishers, messages = 6, 8
	f := newFaulty(seed)
	n := start(t, &history.Options{Store: f})
	defer n.close()
	topics := []string{"t0", "t1"}
	delivered := map[string]*recorder{}
	for _, topic := range topics {
		delivered[topic] = n.subscribe(topic)
	}
	type result struct {
		topic string
		at    history.Offset
		err   error
	}
	var mu sync.Mutex
	results := map[string]result{}
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range messages {
				topic, event := topics[f.int(2)], fmt.Sprintf("%d/%d", p, i)
				ctx, cancel := context.WithCancel(t.Context())
				if f.int(2) == 0 {
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(f.int(3000))*time.Millisecond)
				}
				o := follow.PublishOptions{}
				if f.int(2) == 0 {
					o.Key = event
				}
				at, err := n.publish(ctx, topic, event, o)
				if errors.Is(err, history.ErrUnknown) && o.Key != "" {
					// An error of this call says nothing of the one before.
					if again, e := n.publish(t.Context(), topic, event, o); e == nil {
						at, err = again, nil
					}
				}
				cancel()
				mu.Lock()
				results[event] = result{topic, at, err}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.late.Wait()
	// The followers find what was stored and not told when they compare their heads with the store.
	time.Sleep(2 * time.Minute)
	stored := map[string][]history.Offset{}
	for _, topic := range topics {
		page, err := n.Read(t.Context(), topic, &history.Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			stored[m.Event] = append(stored[m.Event], m.Offset)
		}
		if got := delivered[topic].got(); got != eventsOf(page.Messages) {
			t.Errorf("%s: delivered\n%s, stored\n%s", topic, got, eventsOf(page.Messages))
		}
	}
	for event, r := range results {
		switch have := stored[event]; {
		case r.err == nil && (len(have) != 1 || have[0] != r.at):
			t.Errorf("%s returned %v and is stored at %v", event, r.at, have)
		case errors.Is(r.err, history.ErrUnknown) && len(have) > 1, r.err != nil && !errors.Is(r.err, history.ErrUnknown) && len(have) > 0:
			t.Errorf("%s returned %v and is stored at %v", event, r.err, have)
		}
	}
	var fails []string
	for kind, count := range n.inside().Stats().AppendErrors {
		fails = append(fails, fmt.Sprint(kind, " ", count))
	}
	if seed == 0 {
		t.Log(len(results), "messages,", strings.Join(fails, ", "))
	}
}
