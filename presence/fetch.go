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
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
)

// fetcher calls Options.Fetch, with a timeout and a bound on concurrent calls.
type fetcher struct {
	hook    func(ctx context.Context, topic string, keys []string) (map[string]any, error)
	timeout time.Duration
	book    *notice.Book
	ctx     context.Context // ends with the presence
	cancel  context.CancelFunc
	slots   chan struct{} // has a value for each running call

	mu    sync.Mutex
	until time.Time      // the hook is not called before this time
	calls sync.WaitGroup // running calls, and those that wait for a slot
}

const (
	// fetchPause is the time after a failed call in which the hook is not called.
	fetchPause = 5 * time.Second
	// maxFetches bounds the concurrent calls, those that have timed out included.
	maxFetches = 256
	// maxFields bounds the fields of one key as JSON, in bytes.
	maxFields = 32 << 10
)

// init sets the options. hook is set apart, and may stay nil.
func (f *fetcher) init(timeout time.Duration, book *notice.Book) {
	f.timeout, f.book = timeout, book
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.slots = make(chan struct{}, maxFetches)
}

// stop prevents further calls and cancels the context of running ones.
func (f *fetcher) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancel()
}

var (
	errFetchTimeout = errors.New("it took longer than FetchTimeout")
	errFetchSlots   = errors.New("256 calls have not returned")
	errFetchGoexit  = errors.New("it called runtime.Goexit")
	errFetchLarge   = errors.New("the fields for a key are larger than 32 KiB")
)

// fetched is the result of one call.
type fetched struct {
	fields map[string][]byte
	err    any    // an error, or the value of a panic
	stack  []byte // of a panic
	large  string // a key whose fields are too large
}

// fields calls the hook for keys, and returns the JSON objects of the keys with a value. It waits no
// longer than the timeout. A hook that ignores its context goes on running, and close waits for it.
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
		f.until = time.Now().Add(fetchPause)
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

// ask calls the hook in a goroutine, and waits for its result or the timeout.
func (f *fetcher) ask(topic string, keys []string) fetched {
	ctx, cancel := context.WithTimeout(f.ctx, f.timeout)
	defer cancel()
	// A hook that ignores its context keeps its slot, so that there are never more than 256.
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		f.calls.Done()
		return fetched{err: errFetchSlots}
	}
	answer := make(chan fetched, 1) // buffered, since after the timeout nobody reads it
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

// call calls the hook and encodes its values. Both may run code of the program, so it recovers.
func (f *fetcher) call(ctx context.Context, topic string, keys []string) (got fetched) {
	defer func() {
		if v := recover(); v != nil {
			got = fetched{err: v, stack: debug.Stack()}
		}
	}()
	values, err := f.hook(ctx, topic, keys)
	if e, ok := err.(*bennu.Error); ok && e == nil { // a nil pointer that was returned as an error
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
		data, err := jsontext.Append(nil, v)
		if err == nil {
			data, err = jsontext.Compact(data)
		}
		switch {
		case err != nil:
			return fetched{err: fmt.Errorf("encoding the fields for a key: %w", err)}
		case len(data) < 2 || data[0] != '{' || hasField(data, "metas"):
			return fetched{err: errors.New("the fields for a key must be a JSON object without metas")}
		case len(data) > maxFields:
			got.large = key
		default:
			got.fields[key] = data
		}
	}
	return got
}
