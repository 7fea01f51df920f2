package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/internal/redact"
)

// newLog makes the log of a demo. It has warnings and errors, one line each, and below a panic the place
// in the program at which it happened.
func newLog(w io.Writer) *slog.Logger {
	text := slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn})
	return slog.New(redact.NewHandler(&stackHandler{Handler: text, out: w, mu: new(sync.Mutex)}))
}

// A stackHandler writes the attribute "stack" below its record, on lines of its own.
type stackHandler struct {
	slog.Handler
	out io.Writer
	mu  *sync.Mutex // held while a record and its stack are written
}

// Handle implements slog.Handler.
func (h *stackHandler) Handle(ctx context.Context, r slog.Record) error {
	var stack []string
	rest := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if frames, ok := a.Value.Any().([]any); ok && a.Key == "stack" {
			for _, frame := range frames {
				stack = append(stack, fmt.Sprint(frame))
			}
		} else {
			rest.AddAttrs(a)
		}
		return true
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.Handler.Handle(ctx, rest); err != nil || stack == nil {
		return err
	}
	_, err := io.WriteString(h.out, readable(stack))
	return err
}

// WithAttrs implements slog.Handler.
func (h *stackHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &stackHandler{h.Handler.WithAttrs(attrs), h.out, h.mu}
}

// WithGroup implements slog.Handler.
func (h *stackHandler) WithGroup(name string) slog.Handler {
	return &stackHandler{h.Handler.WithGroup(name), h.out, h.mu}
}

// readable returns a line for each call of a stack, up to the callback that panicked. The calls below
// that are bennu's.
func readable(frames []string) string {
	const inner = "github.com/bennu-go/bennu."
	var b strings.Builder
	for i, frame := range frames {
		if i > 0 && strings.HasPrefix(frame, inner) {
			break
		}
		b.WriteString("    " + frame + "\n")
	}
	return b.String()
}
