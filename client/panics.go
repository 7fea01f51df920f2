package client

import (
	"log/slog"
	"runtime/debug"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
)

// guard calls a function of the program without a lock. It logs and returns a panic; after
// runtime.Goexit it only logs, since the goroutine ends.
func (s *Socket) guard(f func()) (p *panicError) {
	returned := false
	defer func() {
		if !returned {
			p = s.panicked("a function of Options", recover())
		}
	}()
	f()
	returned = true
	return nil
}

// maxStack bounds a stack in the log, in bytes.
const maxStack = 8 << 10

// panicked logs a panic with its stack. A deferred function calls it, while the stack is still there.
func (s *Socket) panicked(where string, value any) *panicError {
	stack := debug.Stack()
	stack = stack[:min(len(stack), maxStack)]
	p := &panicError{value}
	notice.Of(s.opts.Logger).Say(notice.ClientPanic, slog.String("in", where), slog.String("error", p.Error()), slog.Any("stack", redact.Frames(string(stack))))
	return p
}

// A panicError is a panic of a function of the program. value is nil if the function called
// runtime.Goexit.
type panicError struct{ value any }

// Error implements error.
func (e *panicError) Error() string {
	if e.value == nil {
		return "client: a callback called runtime.Goexit"
	}
	return ErrPanic.Error() + ": " + redact.Print(e.value)
}

// Unwrap returns ErrPanic, and the value if it is an error.
func (e *panicError) Unwrap() []error {
	if err, ok := e.value.(error); ok {
		return []error{ErrPanic, err}
	}
	return []error{ErrPanic}
}
