package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/task"
)

// guarded is a Store that may have been written by others. Its calls run in goroutines of their own, so
// that a panic in one is an error, and one that does not end with its context holds nobody. Append is
// guarded by attempt, which also decides what such an end means.
type guarded struct {
	Store
	book  *notice.Book
	calls task.Group
	late  atomic.Int64 // calls that run on, though their caller has gone
}

const (
	// lateTime is how long a call may run on after its context has ended.
	lateTime = time.Second
	// mostLate bounds the calls that run on. Each has a goroutine, and callers try again.
	mostLate = 64
)

var (
	errPanicked = errors.New("the store panicked")
	errRunsOn   = errors.New("the call runs on after its context has ended")
)

// Read implements Store.
func (g *guarded) Read(ctx context.Context, topic string, after uint64, o *ReadOptions) (p Piece, err error) {
	own := *o // the call may run on
	return guard(ctx, g, "Read", topic, func() (Piece, error) { return g.Store.Read(ctx, topic, after, &own) })
}

// Heads implements Store.
func (g *guarded) Heads(ctx context.Context, topics []string) ([]Head, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	return guard(ctx, g, "Heads", topics[0], func() ([]Head, error) { return g.Store.Heads(ctx, topics) })
}

// Rotate implements Store.
func (g *guarded) Rotate(ctx context.Context, topic, epoch string) error {
	_, err := guard(ctx, g, "Rotate", topic, func() (none struct{}, err error) { return none, g.Store.Rotate(ctx, topic, epoch) })
	return err
}

// Close implements Store.
func (g *guarded) Close(ctx context.Context) error {
	_, err := guard(ctx, g, "Close", "", func() (none struct{}, err error) { return none, g.Store.Close(ctx) })
	return err
}

// answer has the results of a call of a store.
type answer[T any] struct {
	value T
	err   error
}

// faults are the errors for a call that has panicked, or runs on, by its method.
var faults = map[string]error{
	"Read": ErrUnavailable, "Heads": ErrUnavailable, "Rotate": ErrUnknown, "Close": errors.New("history: the store may not be closed"),
}

// guard calls a method of the store, and waits until it has returned, or for lateTime after the end of
// ctx.
func guard[T any](ctx context.Context, g *guarded, method, topic string, call func() (T, error)) (T, error) {
	var none T
	if n := g.late.Load(); n >= mostLate && method != "Close" {
		return none, fmt.Errorf("%w: it is not asked, since %d of its calls run on after their context has ended", ErrUnavailable, n)
	}
	c := &guardedCall[T]{g: g, method: method, topic: topic, call: call, done: make(chan answer[T], 1)}
	g.calls.Start(c)
	select {
	case a := <-c.done:
		return a.value, a.err
	case <-ctx.Done():
	}
	late := time.NewTimer(lateTime)
	defer late.Stop()
	select {
	case a := <-c.done:
		return a.value, a.err
	case <-late.C:
	}
	g.late.Add(1)
	if !c.left.CompareAndSwap(false, true) { // it has returned meanwhile
		g.late.Add(-1)
		a := <-c.done
		return a.value, a.err
	}
	sayLate(g.book, g.Store, method, topic)
	return none, fmt.Errorf("%w: %w: %w", faults[method], errRunsOn, context.Cause(ctx))
}

// guardedCall is one call. It implements task.Runner.
type guardedCall[T any] struct {
	g             *guarded
	method, topic string
	call          func() (T, error)
	done          chan answer[T]
	left          atomic.Bool // the caller has gone, or the call has returned: who sets it knows which
}

// Run calls the store.
func (c *guardedCall[T]) Run() {
	var a answer[T]
	returned := false
	defer func() {
		if !returned { // a panic, or runtime.Goexit
			sayPanic(c.g.book, c.g.Store, c.method, c.topic, recover())
			a.err = fmt.Errorf("%w: %w in %s", faults[c.method], errPanicked, c.method)
		}
		if !c.left.CompareAndSwap(false, true) {
			c.g.late.Add(-1)
		}
		c.done <- a
	}()
	a.value, a.err = c.call()
	returned = true
}

// sayLate says that a call of a store runs on after its context has ended.
func sayLate(book *notice.Book, s Store, method, topic string) {
	book.Say(notice.HistoryLate, slog.String("store", typeOf(s)), slog.String("method", method), notice.Foreign("topic", topic))
}

// sayPanic says that a store has panicked with v, or has ended its goroutine if v is nil.
func sayPanic(book *notice.Book, s Store, method, topic string, v any) {
	if v == nil {
		v = "runtime.Goexit"
	}
	book.Say(notice.HistoryStore, slog.String("store", typeOf(s)), slog.String("method", method), notice.Foreign("topic", topic),
		slog.String("error", redact.Print(v)), redact.StackAttr())
}

// typeOf names a store for people: by the type that the program has given to New.
func typeOf(s Store) string {
	if g, ok := s.(*guarded); ok {
		s = g.Store
	}
	return fmt.Sprintf("%T", s)
}
