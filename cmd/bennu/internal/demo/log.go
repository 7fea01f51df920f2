package demo

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/internal/redact"
)

// newLog makes the log of a demo: warnings and worse, a line each, and below a panic the
// place in the program where it happened.
func newLog(w io.Writer) *slog.Logger {
	text := slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn})
	return slog.New(redact.NewHandler(&stackHandler{Handler: text, out: w, mu: new(sync.Mutex)}))
}

// A stackHandler writes the attribute "stack" below its record, on lines of its own.
type stackHandler struct {
	slog.Handler
	out io.Writer
	mu  *sync.Mutex // keeps a stack beside its record
}

// Handle implements slog.Handler.
func (h *stackHandler) Handle(ctx context.Context, r slog.Record) error {
	stack := ""
	rest := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "stack" {
			stack = a.Value.String()
		} else {
			rest.AddAttrs(a)
		}
		return true
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.Handler.Handle(ctx, rest); err != nil || stack == "" {
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

// readable indents a stack, and leaves out what is above the panic and what bennu has
// below the callback that panicked. Line breaks may have been escaped for a log.
func readable(stack string) string {
	const inner = "github.com/bennu-go/bennu."
	stack = strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(stack)
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	shown := lines
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") && i+2 < len(lines) {
			shown = lines[i+2:] // a call has two lines
		}
	}
	for i, line := range shown {
		if i > 0 && strings.HasPrefix(line, inner) {
			shown = shown[:i]
			break
		}
	}
	var b strings.Builder
	for _, line := range shown {
		b.WriteString("    " + line + "\n")
	}
	return b.String()
}
