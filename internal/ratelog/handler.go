package ratelog

import (
	"context"
	"log/slog"
)

// Handler returns a handler with the same limit, for packages that take a *slog.Logger. Their
// messages must be constants, too.
func (l *Logger) Handler() slog.Handler { return &handler{l.to.Handler(), l, ""} }

// HandlerOf is Handler for lines whose messages are not constants. All of them count as lines of
// one message, the given kind.
func (l *Logger) HandlerOf(kind string) slog.Handler { return &handler{l.to.Handler(), l, kind} }

type handler struct {
	slog.Handler
	log  *Logger
	kind string // counts in place of each message, unless it is ""
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	defer guard()
	return h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) (err error) {
	kind := h.kind
	if kind == "" {
		kind = r.Message
	}
	pass, suppressed := h.log.pass(kind)
	if !pass {
		return nil
	}
	if suppressed > 0 {
		r.AddAttrs(slog.Int("suppressed", suppressed))
	}
	guarded(func() { err = h.Handler.Handle(ctx, r) })
	return err
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.log, h.kind}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.log, h.kind}
}
