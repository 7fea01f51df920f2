// Package ratelog keeps a log readable when the same thing goes wrong ten
// thousand times a second.
package ratelog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Lines is how many lines of one message pass in a second.
const Lines = 100

// Logger writes at most Lines lines a second of each message and counts the rest;
// the count is written with the next line of that message that passes. It may be
// used from any goroutine.
type Logger struct {
	to  *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	start      time.Time
	lines      int
	suppressed int
}

// New makes a Logger that writes to another.
func New(to *slog.Logger) *Logger {
	return &Logger{to: to, now: time.Now, windows: make(map[string]*window)}
}

// Enabled reports whether lines of a level are written at all.
func (l *Logger) Enabled(level slog.Level) (enabled bool) {
	defer guard()
	return l.to.Enabled(context.Background(), level)
}

// guard is deferred where a handler of the program's is called: its panic shall end neither
// what has something to say nor the process. The line is lost with it.
func guard() { _ = recover() }

// guarded writes a line in a goroutine of its own, so that not even runtime.Goexit of the
// program's handler ends the caller's. Lines are few.
func guarded(write func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer guard()
		write()
	}()
	<-done
}

// Log writes a line. Messages are told apart by msg, which must be a constant of the
// program: it never has a part that a client chose.
func (l *Logger) Log(level slog.Level, msg string, attrs ...slog.Attr) {
	if !l.Enabled(level) {
		return
	}
	pass, suppressed := l.pass(msg)
	if !pass {
		return
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	guarded(func() { l.to.LogAttrs(context.Background(), level, msg, attrs...) })
}

func (l *Logger) pass(msg string) (pass bool, suppressed int) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[msg]
	if w == nil {
		w = &window{start: now}
		l.windows[msg] = w
	}
	if now.Sub(w.start) >= time.Second {
		suppressed = w.suppressed
		*w = window{start: now}
	}
	if w.lines >= Lines {
		w.suppressed++
		return false, 0
	}
	w.lines++
	return true, suppressed
}

// Suppressed is the number of lines held back that no line has told of yet.
func (l *Logger) Suppressed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, w := range l.windows {
		n += w.suppressed
	}
	return n
}
