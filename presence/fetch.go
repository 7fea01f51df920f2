package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/wire"
)

// fetcher asks the application for what it has to add to keys.
type fetcher struct {
	hook    func(ctx context.Context, topic string, keys []string) (map[string]any, error)
	timeout time.Duration
	book    *notice.Book
	ctx     context.Context // ends with the presence
	cancel  context.CancelFunc
	slots   chan struct{} // one for each call, those that nobody waits for any more included

	mu    sync.Mutex
	until time.Time // it is not asked before
	calls sync.WaitGroup
}

const (
	// fetchRest is how long a hook that failed is left alone.
	fetchRest = 5 * time.Second
	// maxFetches is how many calls of the hook run at once.
	maxFetches = 256
	// maxFields bounds what the hook returns for one key, as JSON.
	maxFields = 32 << 10
)

func (f *fetcher) init(timeout time.Duration, book *notice.Book) {
	f.timeout, f.book = timeout, book
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.slots = make(chan struct{}, maxFetches)
}

// stop has no other call begun.
func (f *fetcher) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancel()
}

var (
	errFetchTimeout = errors.New("it took longer than FetchTimeout")
	errFetchSlots   = errors.New("256 calls have not returned")
	errFetchGoexit  = errors.New("it called runtime.Goexit")
	errFetchLarge   = errors.New("what it returned for a key is larger than 32 KiB")
)

// fetched is what came of one call.
type fetched struct {
	fields map[string][]byte
	err    any    // what went wrong, or what it panicked with
	stack  []byte // of a panic
	large  string // a key that too much was returned for
}

// fields asks for keys, and returns the JSON object of each that something was returned
// for. It waits no longer than the timeout; a hook that ignores its context runs on,
// and is waited for at the end.
func (f *fetcher) fields(topic string, keys []string) map[string][]byte {
	if f.hook == nil || len(keys) == 0 {
		return nil
	}
	f.mu.Lock()
	if f.ctx.Err() != nil || time.Now().Before(f.until) {
		f.mu.Unlock()
		return nil
	}
	f.calls.Add(1)
	f.mu.Unlock()
	got := f.ask(topic, keys)
	if f.ctx.Err() != nil {
		return nil
	}
	attrs := []slog.Attr{notice.Foreign("topic", topic), slog.Int("keys", len(keys))}
	switch {
	case got.err != nil:
		f.mu.Lock()
		f.until = time.Now().Add(fetchRest)
		f.mu.Unlock()
		attrs = append(attrs, slog.Any("error", got.err))
		if got.stack != nil {
			attrs = append(attrs, slog.Any("stack", redact.Frames(string(got.stack))))
		}
		f.book.Say(notice.PresenceFetch, attrs...)
	case got.large != "":
		f.book.Say(notice.PresenceFetch, append(attrs, slog.Any("error", errFetchLarge), notice.Foreign("key", got.large))...)
	}
	return got.fields
}

// ask has the hook called, and waits for it.
func (f *fetcher) ask(topic string, keys []string) fetched {
	ctx, cancel := context.WithTimeout(f.ctx, f.timeout)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		f.calls.Done()
		return fetched{err: errFetchSlots}
	}
	answer := make(chan fetched, 1)
	go func() {
		defer f.calls.Done()
		defer func() { <-f.slots }()
		got := fetched{err: errFetchGoexit}
		defer func() { answer <- got }()
		got = f.call(ctx, topic, keys)
	}()
	select {
	case got := <-answer:
		return got
	case <-ctx.Done():
		return fetched{err: errFetchTimeout}
	}
}

// call calls the hook and encodes what it returns. Both are the application's code.
func (f *fetcher) call(ctx context.Context, topic string, keys []string) (got fetched) {
	defer func() {
		if v := recover(); v != nil {
			got = fetched{err: v, stack: debug.Stack()}
		}
	}()
	values, err := f.hook(ctx, topic, keys)
	if e, ok := err.(*bennu.Error); ok && e == nil {
		err = nil
	}
	if err != nil {
		return fetched{err: err}
	}
	got.fields = make(map[string][]byte, len(values))
	for key, v := range values {
		if nils.Is(v) {
			continue
		}
		data, err := wire.AppendJSON(nil, v)
		if err == nil {
			data, err = wire.Compact(data)
		}
		switch {
		case err != nil:
			return fetched{err: fmt.Errorf("what it returned does not encode: %w", err)}
		case len(data) < 2 || data[0] != '{' || hasField(data, "metas"):
			return fetched{err: errors.New("what it returned for a key is no JSON object without metas")}
		case len(data) > maxFields:
			got.large = key
		default:
			got.fields[key] = data
		}
	}
	return got
}
