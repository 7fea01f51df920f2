package history_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/pubsub"
)

// wild is a Store whose methods do something first.
type wild struct {
	history.Store
	mu     sync.Mutex
	before map[string]func(ctx context.Context)
}

func (w *wild) set(method string, f func(ctx context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.before == nil {
		w.before = map[string]func(ctx context.Context){}
	}
	w.before[method] = f
}

func (w *wild) do(ctx context.Context, method string) {
	w.mu.Lock()
	f := w.before[method]
	w.mu.Unlock()
	if f != nil {
		f(ctx)
	}
}

func (w *wild) Append(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	w.do(ctx, "Append")
	return w.Store.Append(ctx, topic, e, o)
}

func (w *wild) Read(ctx context.Context, topic string, after uint64, o *history.ReadOptions) (history.Piece, error) {
	w.do(ctx, "Read")
	return w.Store.Read(ctx, topic, after, o)
}

func (w *wild) Heads(ctx context.Context, topics []string) ([]history.Head, error) {
	w.do(ctx, "Heads")
	return w.Store.Heads(ctx, topics)
}

func (w *wild) Rotate(ctx context.Context, topic, epoch string) error {
	w.do(ctx, "Rotate")
	return w.Store.Rotate(ctx, topic, epoch)
}

func (w *wild) Close(ctx context.Context) error {
	w.do(ctx, "Close")
	return w.Store.Close(ctx)
}

// hang blocks until release is called, whatever the context.
func hang() (f func(context.Context), release func()) {
	c := make(chan struct{})
	return func(context.Context) { <-c }, sync.OnceFunc(func() { close(c) })
}

// TestStorePanics has methods of a store that panic, or end their goroutine: the calls fail, the process
// goes on, and all is well when the store is.
func TestStorePanics(t *testing.T) {
	for name, crash := range map[string]func(context.Context){
		"panic": func(context.Context) { panic("oh") }, "Goexit": func(context.Context) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &wild{Store: history.NewMemory(1 << 30)}
				n := start(t, &history.Options{Store: s, Check: time.Second})
				defer n.close()
				n.must("t", "1")
				s.set("Append", crash)
				_, err := n.publish(t.Context(), "t", "lost", follow.PublishOptions{})
				wantError(t, "Append", err, history.ErrUnknown)
				s.set("Append", nil)
				for _, method := range []string{"Read", "Heads", "Rotate"} {
					s.set(method, crash)
				}
				r := new(recorder)
				sub := n.inside().Followers().Subscribe("t", r) // which asks for the head
				defer sub.Cancel()
				began := n.inside().Followers().Subscribe("tnew", new(recorder))
				defer began.Cancel()
				_, err = n.Read(t.Context(), "t", nil)
				wantError(t, "Read", err, history.ErrUnavailable)
				wantError(t, "Erase", n.Erase(t.Context(), "t"), history.ErrUnavailable)
				time.Sleep(10 * time.Second)
				s.set("Heads", nil)
				wantError(t, "Erase", n.Erase(t.Context(), "t"), history.ErrUnknown)
				go func() { _ = began.Begin(t.Context()) }() // which rotates
				time.Sleep(10 * time.Second)
				bad := &wild{before: map[string]func(context.Context){"Heads": crash}}
				if _, err := history.New(t.Context(), pubsub.NewLocal(), &history.Options{Store: bad, Topics: []history.Topic{{Pattern: "*"}}, Logger: slog.New(slog.DiscardHandler)}); err == nil {
					t.Error("New succeeds")
				}
				s.set("Read", nil)
				s.set("Rotate", nil)
				time.Sleep(10 * time.Second)
				n.must("t", "2")
				if r.got() != "2" || n.events("t") != "1 2" {
					t.Errorf("delivered %q", r.got())
				}
				for _, want := range []string{"reason=history_store", "store=*history_test.wild", "method=Read", "method=Heads", "method=Rotate"} {
					if !strings.Contains(n.lines.String(), want) {
						t.Errorf("no %s in %s", want, n.lines.String())
					}
				}
			})
		})
	}
}

// TestStoreRunsOn has methods of a store that do not end with their context. Close is not held for longer
// than PublishTimeout, a publish and a read allow, and what holds it is said.
func TestStoreRunsOn(t *testing.T) {
	for _, method := range []string{"Append", "Read", "Heads", "Rotate", "Close"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &wild{Store: history.NewMemory(1 << 30)}
				n := &node{t: t, ps: pubsub.NewLocal()}
				log, err := history.New(t.Context(), n.ps, &history.Options{
					Store: s, Check: time.Second, Topics: []history.Topic{{Pattern: "*"}}, Logger: slog.New(slog.NewTextHandler(&n.lines, nil)),
				})
				if err != nil {
					t.Fatal(err)
				}
				n.Log = log
				n.must("t", "1")
				n.subscribe("t")
				f, release := hang()
				s.set(method, f)
				switch method {
				case "Append":
					go func() { _, _ = n.publish(context.Background(), "t", "2", follow.PublishOptions{}) }()
				case "Read":
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					go func() { _, _ = n.Read(ctx, "t", nil) }()
				case "Rotate":
					sub := n.inside().Followers().Subscribe("tnew", new(recorder))
					go func() { _ = sub.Begin(context.Background()) }()
				}
				time.Sleep(2 * time.Second) // Heads is called each second
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				err = n.Close(ctx)
				took := time.Since(began)
				switch method {
				case "Append", "Read":
					if took > 13*time.Second || err == nil || !strings.Contains(err.Error(), "*history_test.wild") {
						t.Errorf("Close: %v after %v", err, took)
					}
				case "Close":
					if took > 22*time.Second || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Close: %v after %v", err, took)
					}
				default:
					if took > 2*time.Second {
						t.Errorf("Close: %v after %v", err, took)
					}
				}
				time.Sleep(2 * time.Minute)
				if lines := n.lines.String(); !strings.Contains(lines, "reason=history_late") || !strings.Contains(lines, "method="+method) {
					t.Error(lines)
				}
				release()
				synctest.Wait()
			})
		})
	}
}

// TestStoreRunsOnForLong bounds the calls that run on at one time.
func TestStoreRunsOnForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &wild{Store: history.NewMemory(1 << 30)}
		n := start(t, &history.Options{Store: s})
		f, release := hang()
		s.set("Read", f)
		calls := runtime.NumGoroutine()
		for range 200 {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := n.Read(ctx, "t", nil)
			wantError(t, "Read", err, history.ErrUnavailable)
		}
		if now := runtime.NumGoroutine(); now > calls+70 {
			t.Errorf("%d goroutines more", now-calls)
		}
		release()
		synctest.Wait()
		s.set("Read", nil)
		if _, err := n.Read(t.Context(), "t", nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		n.close()
	})
}
