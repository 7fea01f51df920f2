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

	mu     sync.Mutex
	until  time.Time // it is not asked before
	calls  sync.WaitGroup
	closed bool
}

// fetchRest is how long a hook that failed is left alone.
const fetchRest = 5 * time.Second

// fetchPanic is a panic of the hook.
type fetchPanic struct {
	value any
	stack []byte
}

func (p *fetchPanic) Error() string { return fmt.Sprintf("it panicked: %v", p.value) }

var errFetchTimeout = errors.New("it took longer than FetchTimeout")

// fields asks for keys, and returns the JSON object of each that something was returned
// for. It waits no longer than the timeout; a hook that ignores its context runs on,
// and is waited for at the end.
func (f *fetcher) fields(topic string, keys []string) map[string][]byte {
	if f.hook == nil || len(keys) == 0 {
		return nil
	}
	f.mu.Lock()
	if f.closed || time.Now().Before(f.until) {
		f.mu.Unlock()
		return nil
	}
	f.calls.Add(1)
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
	defer cancel()
	answer := make(chan func() (map[string][]byte, error), 1)
	go func() {
		defer f.calls.Done()
		fields, err := f.call(ctx, topic, keys)
		answer <- func() (map[string][]byte, error) { return fields, err }
	}()
	fields, err := map[string][]byte(nil), errFetchTimeout
	select {
	case got := <-answer:
		fields, err = got()
	case <-ctx.Done():
	}
	if err != nil {
		attrs := []slog.Attr{notice.Foreign("topic", topic), slog.Int("keys", len(keys)), slog.String("error", err.Error())}
		if p, ok := errors.AsType[*fetchPanic](err); ok {
			attrs = append(attrs, slog.Any("stack", redact.Frames(string(p.stack))))
		}
		f.book.Say(notice.PresenceFetch, attrs...)
		f.mu.Lock()
		f.until = time.Now().Add(fetchRest)
		f.mu.Unlock()
	}
	return fields
}

// call calls the hook and encodes what it returns. Both are the application's code.
func (f *fetcher) call(ctx context.Context, topic string, keys []string) (fields map[string][]byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			fields, err = nil, &fetchPanic{v, debug.Stack()}
		}
	}()
	values, err := f.hook(ctx, topic, keys)
	if e, ok := err.(*bennu.Error); ok && e == nil {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	fields = make(map[string][]byte, len(values))
	for key, v := range values {
		if nils.Is(v) {
			continue
		}
		data, err := wire.AppendJSON(nil, v)
		if err != nil {
			return nil, fmt.Errorf("what it returned does not encode: %w", err)
		}
		if len(data) < 2 || data[0] != '{' {
			return nil, errors.New("what it returned for a key is no JSON object")
		}
		fields[key] = data
	}
	return fields, nil
}

func (f *fetcher) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.calls.Wait()
}
