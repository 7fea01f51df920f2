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
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

func TestPublish(t *testing.T) {
	for name, store := range map[string]history.Store{"memory": nil, "another store": newStore()} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &history.Options{Store: store})
			r := n.subscribe("t")
			one := n.must("t", "a")
			two := n.must("t", "b")
			if one.IsZero() || one == two || r.got() != "a b" || n.events("t") != "a b" {
				t.Errorf("offsets %v and %v, delivered %q, stored %q", one, two, r.got(), n.events("t"))
			}
			_, err := n.publish(t.Context(), "other", "a", follow.PublishOptions{})
			wantError(t, "a topic that is not kept", err, history.ErrNotKept)
		})
	}
}

func TestPublishOptions(t *testing.T) {
	for name, store := range map[string]history.Store{"memory": nil, "another store": newStore()} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &history.Options{Store: store})
			r := n.subscribe("t")
			first, err := n.publish(t.Context(), "t", "a", follow.PublishOptions{Key: "k", After: &follow.Position{}})
			if err != nil {
				t.Fatal(err)
			}
			again, err := n.publish(t.Context(), "t", "b", follow.PublishOptions{Key: "k", After: &follow.Position{}})
			if err != nil || again != first {
				t.Errorf("with the same key: %v, %v, want the offset of the first, %v", again, err, first)
			}
			head := n.must("t", "c")
			_, err = n.publish(t.Context(), "t", "d", follow.PublishOptions{After: positionOf(t, first)})
			wantError(t, "after a place that is not the head", err, history.ErrConflict)
			var conflict *history.Conflict
			if !errors.As(err, &conflict) || conflict.Head != head {
				t.Errorf("%v, want a conflict with the head %v", err, head)
			}
			if _, err = n.publish(t.Context(), "t", "e", follow.PublishOptions{After: positionOf(t, head)}); err != nil {
				t.Error(err)
			}
			if got := r.got(); got != "a c e" || n.events("t") != got {
				t.Errorf("delivered %q, stored %q", got, n.events("t"))
			}
			_, err = n.publish(t.Context(), "t", "f", follow.PublishOptions{Key: strings.Repeat("k", 129)})
			if err == nil || !strings.Contains(err.Error(), "at most 128") {
				t.Error(err)
			}
			stats := n.inside().Stats()
			if stats.Appends != 3 || stats.Doubled != 1 || stats.AppendErrors["conflict"] != 1 || len(stats.AppendErrors) != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// TestPublishFirst: the zero After is that of a topic without messages, whether its log has begun or
// not.
func TestPublishFirst(t *testing.T) {
	for name, store := range map[string]history.Store{"memory": nil, "another store": newStore()} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &history.Options{Store: store})
			for _, topic := range []string{"t", "t:begun", "t:erased"} {
				switch topic {
				case "t:begun":
					sub := n.inside().Followers().Subscribe(topic, new(recorder))
					if err := sub.Begin(t.Context()); err != nil {
						t.Fatal(err)
					}
					defer sub.Cancel()
				case "t:erased":
					n.must(topic, "a")
					if err := n.Erase(t.Context(), topic); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := n.publish(t.Context(), topic, "b", follow.PublishOptions{After: &follow.Position{}}); err != nil {
					t.Errorf("%s: %v", topic, err)
				}
				_, err := n.publish(t.Context(), topic, "c", follow.PublishOptions{After: &follow.Position{}})
				wantError(t, topic, err, history.ErrConflict)
				if got := n.events(topic); got != "b" {
					t.Errorf("%s: %q", topic, got)
				}
			}
		})
	}
}

// positionOf returns an offset as the follower has it.
func positionOf(t testing.TB, o history.Offset) *follow.Position {
	t.Helper()
	epoch, digits, _ := strings.Cut(o.String(), ":")
	p := &follow.Position{Epoch: epoch}
	if _, err := fmt.Sscan(digits, &p.Offset); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTooLarge(t *testing.T) {
	n := start(t, &history.Options{Topics: []history.Topic{{Pattern: "t", Bytes: 10}}})
	r := n.subscribe("t")
	_, err := n.inside().Publish(t.Context(), &pubsub.Message{Topic: "t", Event: "e", Payload: make([]byte, 11), Binary: true}, follow.PublishOptions{})
	wantError(t, "a payload of 11 bytes", err, history.ErrTooLarge)
	if r.got() != "" || n.events("t") != "" || !strings.Contains(n.lines.String(), "reason=history_too_large") {
		t.Errorf("delivered %q, log %s", r.got(), n.lines.String())
	}
}

// TestLostAnswer: an append whose answer was lost is tried again, with the same number, and the
// message is delivered once.
func TestLostAnswer(t *testing.T) {
	for _, key := range []string{"", "k"} {
		for _, kind := range []error{history.ErrUnknown, errors.New("connection reset"), history.ErrUnavailable} {
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				n := start(t, &history.Options{Store: s})
				defer n.close()
				r := n.subscribe("t")
				var numbers []uint64
				s.append = func(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
					numbers = append(numbers, e.Number)
					if kind == history.ErrUnavailable {
						if len(numbers) < 5 {
							return history.Place{}, kind
						}
						return s.Store.Append(ctx, topic, e, o)
					}
					p, err := s.Store.Append(ctx, topic, e, o)
					if len(numbers) < 5 {
						err = kind
					}
					return p, err
				}
				at, err := n.publish(t.Context(), "t", "a", follow.PublishOptions{Key: key, After: &follow.Position{}})
				if err != nil || at.IsZero() || r.got() != "a" || n.events("t") != "a" {
					t.Errorf("%v: %v, %v; delivered %q", kind, at, err, r.got())
				}
				if len(numbers) != 5 || numbers[0] != numbers[4] {
					t.Errorf("%v: numbers %d, want the same five times", kind, numbers)
				}
			})
		}
	}
}

// TestOrder: the publishes of one topic are appended one at a time, in the order of their calls, and
// told in the same order.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, &history.Options{Store: s})
		defer n.close()
		r := n.subscribe("t")
		running := 0
		s.append = func(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
			if running++; running > 1 {
				t.Error("two appends to a topic at once")
			}
			time.Sleep(time.Millisecond)
			running--
			return s.Store.Append(ctx, topic, e, o)
		}
		var wg sync.WaitGroup
		var want []string
		for i := range 50 {
			event := fmt.Sprint(i)
			want = append(want, event)
			wg.Go(func() { n.must("t", event) })
			synctest.Wait()
		}
		wg.Wait()
		if got := r.got(); got != strings.Join(want, " ") {
			t.Errorf("delivered %s", got)
		}
	})
}

// TestDeliveredOnReturn: when a publish returns, the subscribers of its node have the message, however
// many others publish to the topic.
func TestDeliveredOnReturn(t *testing.T) {
	for name, store := range map[string]history.Store{"memory": nil, "another store": newStore()} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &history.Options{Store: store})
			var seen sync.Map
			n.subscribe("t") // returns when the follower is ready
			n.inside().Followers().Subscribe("t", refuser(func(d *pubsub.Dispatch) { seen.Store(d.Event, true) }))
			var wg sync.WaitGroup
			for p := range 8 {
				wg.Go(func() {
					for i := range waittest.Sized(200, 20_000) {
						event := fmt.Sprintf("%d/%d", p, i)
						n.must("t", event)
						if _, ok := seen.Load(event); !ok {
							t.Errorf("%s was published and not delivered", event)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestTopicsAtOnce: a topic does not wait for another.
func TestTopicsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		n := start(t, &history.Options{Store: s})
		defer n.close()
		s.append = func(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
			time.Sleep(time.Second)
			return s.Store.Append(ctx, topic, e, o)
		}
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() { n.must(fmt.Sprint("t", i), "a") })
		}
		wg.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestKeyOfAnother: a message with a key whose first publisher ended before it could tell it is told
// by the next, as it was stored.
func TestKeyOfAnother(t *testing.T) {
	s := newStore()
	n := start(t, &history.Options{Store: s})
	r := n.subscribe("t")
	keep := history.Keep{Size: 10, Bytes: 1000, Age: time.Hour}
	e := &history.Entry{Event: "first", Payload: []byte("{}"), Boot: "another", Number: 1}
	place, err := s.Store.Append(t.Context(), "t", e, &history.AppendOptions{Keep: keep, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	at, err := n.publish(t.Context(), "t", "second", follow.PublishOptions{Key: "k"})
	if err != nil || at != history.OffsetOf(place) {
		t.Errorf("%v, %v, want %+v", at, err, place)
	}
	if r.got() != "first" {
		t.Errorf("delivered %q", r.got())
	}
}

// refuser is a subscriber of the PubSub itself that refuses, or panics.
type refuser func(d *pubsub.Dispatch)

func (f refuser) Deliver(d *pubsub.Dispatch) { f(d) }

// TestRefusal: what happens to a message after the store has it is no error.
func TestRefusal(t *testing.T) {
	n := start(t, &history.Options{})
	sub := n.ps.Subscribe("t", refuser(func(d *pubsub.Dispatch) { d.Refuse(errors.New("no")) }))
	n.must("t", "a")
	sub.Cancel()
	if stats := n.inside().Stats(); stats.Untold != 1 || !strings.Contains(n.lines.String(), "reason=history_untold") {
		t.Errorf("%+v %s", stats, n.lines.String())
	}
}

// TestPanickingSubscriber: the panic of a subscriber is that of the publisher, and the topic goes on.
func TestPanickingSubscriber(t *testing.T) {
	for name, store := range map[string]history.Store{"memory": nil, "another store": newStore()} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &history.Options{Store: store})
			sub := n.ps.Subscribe("t", refuser(func(*pubsub.Dispatch) { panic("oh") }))
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				n.must("t", "a")
			}()
			sub.Cancel()
			n.must("t", "b")
			if got := n.events("t"); got != "a b" {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestPublishInDeliver: a subscriber that publishes on its own topic and waits, which it must not do,
// is late and not stuck.
func TestPublishInDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, &history.Options{})
		defer n.close()
		r := n.subscribe("t")
		once := make(chan struct{}, 1)
		once <- struct{}{}
		sub := n.ps.Subscribe("t", refuser(func(*pubsub.Dispatch) {
			select {
			case <-once:
				n.must("t", "b")
			default:
			}
		}))
		defer sub.Cancel()
		n.must("t", "a")
		n.must("t", "c")
		if r.got() != "a b c" {
			t.Errorf("%q", r.got())
		}
	})
}

func TestClosed(t *testing.T) {
	for name, store := range map[string]history.Store{"memory": nil, "another store": newStore()} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &history.Options{Store: store})
			n.must("t", "a")
			n.close()
			n.close()
			_, err := n.publish(t.Context(), "t", "b", follow.PublishOptions{})
			wantError(t, "publish", err, history.ErrUnavailable)
			_, err = n.Read(t.Context(), "t", nil)
			wantError(t, "read", err, history.ErrUnavailable)
			wantError(t, "erase", n.Erase(t.Context(), "t"), history.ErrUnavailable)
		})
	}
}

// TestCloseWaits: a publish that has begun ends as if nothing were, and one behind it as well.
func TestCloseWaits(t *testing.T) {
	s := newStore()
	n := start(t, &history.Options{Store: s})
	asked, release := make(chan struct{}, 2), make(chan struct{})
	s.append = func(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
		asked <- struct{}{}
		<-release
		return s.Store.Append(ctx, topic, e, o)
	}
	var wg sync.WaitGroup
	wg.Go(func() { n.must("t", "a") })
	waittest.Next(t, "append", asked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- n.Close(context.Background()) }()
	waittest.Until(t, "publishes are refused", func() bool {
		_, err := n.publish(t.Context(), "t1", "b", follow.PublishOptions{Key: strings.Repeat("k", 200)})
		return errors.Is(err, history.ErrUnavailable)
	})
	if err := n.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a second Close whose context has ended: %v", err)
	}
	close(release)
	wg.Wait()
	if err := waittest.Next(t, "Close", closed); err != nil {
		t.Error(err)
	}
}
