package history_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/pubsub"
)

// TestAway: a store that is away is asked until the time is over, and nobody gets the message.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, &history.Options{Store: s})
		defer n.close()
		r := n.subscribe("t")
		calls := 0
		s.append = func(context.Context, string, *history.Entry, *history.AppendOptions) (history.Place, error) {
			calls++
			return history.Place{}, fmt.Errorf("dial: %w", history.ErrUnavailable)
		}
		began := time.Now()
		_, err := n.publish(t.Context(), "t", "a", follow.PublishOptions{})
		wantError(t, "store away", err, history.ErrUnavailable)
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second || calls < 5 || calls > 30 {
			t.Errorf("%d calls in %v", calls, took)
		}
		// A publish that is cancelled between two calls knows that nothing was appended.
		ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond)
		defer cancel()
		_, err = n.publish(ctx, "t", "b", follow.PublishOptions{})
		wantError(t, "cancelled meanwhile", err, history.ErrUnavailable)
		s.append = nil
		n.must("t", "c")
		if r.got() != "c" || n.events("t") != "c" {
			t.Errorf("delivered %q", r.got())
		}
		if stats := n.inside().Stats(); stats.AppendErrors["unavailable"] != 2 || !strings.Contains(n.lines.String(), "reason=history_unavailable") {
			t.Errorf("%+v %s", stats, n.lines.String())
		}
	})
}

// TestNeverAnswers: a store that does not even end with its context does not hold a publish longer
// than PublishTimeout. Publishes behind it are certainly not appended. When the store answers at last,
// the message is delivered.
func TestNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, &history.Options{Store: s})
		defer n.close()
		r := n.subscribe("t")
		release := make(chan struct{})
		s.append = func(_ context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
			<-release
			return s.Store.Append(context.Background(), topic, e, o)
		}
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := n.publish(context.Background(), "t", "a", follow.PublishOptions{})
			wantError(t, "a store without an answer", err, history.ErrUnknown)
		})
		synctest.Wait()
		wg.Go(func() {
			_, err := n.publish(context.Background(), "t", "b", follow.PublishOptions{})
			wantError(t, "behind it", err, history.ErrUnavailable)
		})
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := n.publish(ctx, "t", "c", follow.PublishOptions{})
			wantError(t, "behind it, cancelled", err, history.ErrUnavailable)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		wg.Wait()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		if r.got() != "" {
			t.Errorf("delivered %q", r.got())
		}
		close(release)
		synctest.Wait()
		n.must("t", "d")
		if r.got() != "a d" || n.events("t") != "a d" {
			t.Errorf("delivered %q", r.got())
		}
	})
}

// TestCancelledAppend: a publisher that goes away during the append gets ErrUnknown at once, the store
// is not asked again, and a message that was appended is delivered.
func TestCancelledAppend(t *testing.T) {
	for _, stored := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore()
			n := start(t, &history.Options{Store: s})
			defer n.close()
			r := n.subscribe("t")
			calls := 0
			s.append = func(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
				calls++
				time.Sleep(time.Second)
				if !stored {
					return history.Place{}, history.ErrUnavailable
				}
				return s.Store.Append(ctx, topic, e, o)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			began := time.Now()
			m := &pubsub.Message{Topic: "t", Event: "a", Payload: []byte("{}")}
			_, err := n.inside().Publish(ctx, m, follow.PublishOptions{})
			wantError(t, "cancelled during the append", err, history.ErrUnknown)
			if took := time.Since(began); took != 100*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v after %v", err, took)
			}
			*m = pubsub.Message{} // it is the caller's again
			time.Sleep(time.Minute)
			if want := map[bool]string{true: "a"}[stored]; r.got() != want || n.events("t") != want || calls != 1 {
				t.Errorf("stored %t: delivered %q after %d calls", stored, r.got(), calls)
			}
		})
	}
}

// TestBusy: a node does not pile up messages for a store that does not answer.
func TestBusy(t *testing.T) {
	for name, test := range map[string]struct{ size, most int }{"messages": {2, 1024}, "bytes": {900_000, 9}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				n := start(t, &history.Options{Store: s, Topics: []history.Topic{{Pattern: "t*", Bytes: 1 << 20}}})
				defer n.close()
				s.append = func(ctx context.Context, _ string, _ *history.Entry, _ *history.AppendOptions) (history.Place, error) {
					<-ctx.Done()
					return history.Place{}, history.ErrUnavailable
				}
				publish := func(i int) error {
					m := &pubsub.Message{Topic: fmt.Sprintf("t%d", i%3), Event: "e", Payload: make([]byte, test.size), Binary: true}
					_, err := n.inside().Publish(context.Background(), m, follow.PublishOptions{})
					return err
				}
				var wg sync.WaitGroup
				for i := range test.most {
					wg.Go(func() { wantError(t, "waits", publish(i), history.ErrUnavailable) })
				}
				synctest.Wait()
				began := time.Now()
				wantError(t, "one too many", publish(0), history.ErrBusy)
				if time.Since(began) > 0 {
					t.Error("it has waited")
				}
				wg.Wait()
				s.append = nil
				if err := publish(0); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

// odd are stores that break the rules of Append.
var odd = map[string]func() (history.Place, error){
	"no epoch":    func() (history.Place, error) { return history.Place{Offset: 1}, nil },
	"an offset 0": func() (history.Place, error) { return history.Place{Epoch: "aaaaaaaa"}, nil },
	"not after":   func() (history.Place, error) { return history.Place{Epoch: "aaaaaaaa", Offset: 2, Prev: 2}, nil },
	"a panic":     func() (history.Place, error) { panic("oh") },
}

func TestOddStore(t *testing.T) {
	for name, result := range odd {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				n := start(t, &history.Options{Store: s})
				defer n.close()
				r := n.subscribe("t")
				s.append = func(context.Context, string, *history.Entry, *history.AppendOptions) (history.Place, error) {
					return result()
				}
				_, err := n.publish(t.Context(), "t", "a", follow.PublishOptions{})
				wantError(t, name, err, history.ErrUnknown)
				if r.got() != "" || !strings.Contains(n.lines.String(), "reason=history_store") {
					t.Errorf("delivered %q; %s", r.got(), n.lines.String())
				}
			})
		})
	}
}
