package ratelog

import (
	"context"
	"log/slog"
)

// Handler holds the lines of others to the same limit, for packages that take a
// *slog.Logger. Their messages must be constants, too.
func (l *Logger) Handler() slog.Handler { return &handler{l.to.Handler(), l} }

type handler struct {
	slog.Handler
	log *Logger
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	pass, suppressed := h.log.pass(r.Message)
	if !pass {
		return nil
	}
	if suppressed > 0 {
		r.AddAttrs(slog.Int("suppressed", suppressed))
	}
	defer guard()
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.log}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.log}
}
