// Package ratelog bounds the lines of a log, so that it stays readable when the same thing goes
// wrong ten thousand times a second.
package ratelog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Lines is the number of lines of one message that pass in a second.
const Lines = 100

// maxMessages bounds the messages that are counted separately, so that those of a transport of the
// program, which may contain text of clients, do not fill the memory. All further ones are counted
// together, as others.
const (
	maxMessages = 1024
	others      = ""
)

// Logger writes at most Lines lines a second of each message and counts the others. The count is
// written with the next line of that message that passes. It may be used from any goroutine.
type Logger struct {
	to  *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	windows map[string]*window
	forgot  time.Time // when forgetLocked last did something
}

type window struct {
	start      time.Time
	lines      int
	suppressed int
}

// New returns a Logger that writes to another logger.
func New(to *slog.Logger) *Logger {
	return &Logger{to: to, now: time.Now, windows: make(map[string]*window)}
}

// Enabled reports whether lines of a level are written at all.
func (l *Logger) Enabled(level slog.Level) (enabled bool) {
	defer guard()
	return l.to.Enabled(context.Background(), level)
}

// guard is deferred where a handler of the program is called. A panic of the handler must end
// neither the caller nor the process. The line is lost.
func guard() { _ = recover() }

// guarded writes a line in a goroutine of its own, so that runtime.Goexit in the handler does not
// end the caller's. Lines are few.
func guarded(write func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer guard()
		write()
	}()
	<-done
}

// Log writes a line. Lines are counted by msg, which must be a constant of the program and never
// contain text that a client chose.
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
	if w == nil && len(l.windows) >= maxMessages {
		if l.forgetLocked(now); len(l.windows) >= maxMessages {
			msg = others
			w = l.windows[msg]
		}
	}
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

// forgetLocked removes the messages of which no line was written in the last second and none was
// held back. It does so once a second at most.
func (l *Logger) forgetLocked(now time.Time) {
	if now.Sub(l.forgot) < time.Second {
		return
	}
	l.forgot = now
	for msg, w := range l.windows {
		if now.Sub(w.start) >= time.Second && w.suppressed == 0 {
			delete(l.windows, msg)
		}
	}
}

// Suppressed returns the number of lines held back that no line has reported yet.
func (l *Logger) Suppressed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, w := range l.windows {
		n += w.suppressed
	}
	return n
}
