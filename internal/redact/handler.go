package redact

import (
	"context"
	"log/slog"
)

// Handler is a slog.Handler that passes on records without secrets, without
// control characters and without endless texts:
//
//   - the value of an attribute with a sensitive key ([Sensitive]) is [Mask],
//     whatever its type; so is the value of every attribute of a logger whose group
//     (WithGroup) has a sensitive name;
//   - messages, keys, strings, errors, fmt.Stringers, fmt.Formatters and byte slices pass
//     through [Text]; a value whose key contains "stack" passes through [Stack];
//   - maps, slices and structs become maps and slices of plain values, with what
//     their sensitive keys and fields hold masked. Fields that are not exported, or
//     that JSON leaves out, are left out. At most 256 values at most 8 deep with
//     MaxText bytes of text are kept of each attribute;
//   - a slog.LogValuer is resolved, unless it is masked. Its group, like any other,
//     stays a group.
//
// A record in which nothing has to change is passed on as it is. Handler may be used
// from any goroutine if the handler behind it may.
type Handler struct {
	next   slog.Handler
	masked bool // in a group with a sensitive name
}

// NewHandler makes a Handler that passes on to next, which must not be nil.
func NewHandler(next slog.Handler) *Handler { return &Handler{next: next} }

// Enabled reports whether the handler behind this one takes records of a level.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes on a record. Its error is that of the handler behind.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	out, changed := slog.Record{}, false
	if message := Text(r.Message); message != r.Message {
		out, changed = slog.NewRecord(r.Time, r.Level, message, r.PC), true
	}
	// All that comes before the first change is copied when it is found.
	seen := 0
	r.Attrs(func(a slog.Attr) bool {
		clean, differs := h.attr(a)
		if !changed && differs {
			out, changed = slog.NewRecord(r.Time, r.Level, r.Message, r.PC), true
			copyAttrs(&out, r, seen)
		}
		if changed {
			out.AddAttrs(clean)
		}
		seen++
		return true
	})
	if !changed {
		return h.next.Handle(ctx, r)
	}
	return h.next.Handle(ctx, out)
}

func copyAttrs(to *slog.Record, from slog.Record, n int) {
	from.Attrs(func(a slog.Attr) bool {
		if n == 0 {
			return false
		}
		to.AddAttrs(a)
		n--
		return true
	})
}

// WithAttrs returns a Handler with attributes, which are redacted once, here.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i], _ = h.attr(a)
	}
	return &Handler{next: h.next.WithAttrs(clean), masked: h.masked}
}

// WithGroup returns a Handler whose attributes are in a group.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{next: h.next.WithGroup(Text(name)), masked: h.masked || Sensitive(name)}
}

// attr redacts an attribute and reports whether it changed.
func (h *Handler) attr(a slog.Attr) (slog.Attr, bool) {
	if a.Equal(slog.Attr{}) {
		return a, false // stands for nothing, and is left out by handlers
	}
	r := redactor{values: maxValues}
	return r.attr(a, h.masked, 0)
}

// redactor redacts one attribute with all that is in it.
type redactor struct {
	values int // how many more are kept
}

// attr redacts an attribute that is depth groups deep, and reports whether it
// changed.
func (r *redactor) attr(a slog.Attr, masked bool, depth int) (slog.Attr, bool) {
	key := Text(a.Key)
	if masked || Sensitive(a.Key) {
		if a.Value.Kind() == slog.KindGroup && len(a.Value.Group()) == 0 {
			return a, false // stands for nothing too
		}
		if a.Key != "" || a.Value.Kind() != slog.KindGroup {
			return slog.String(key, Mask), true
		}
		// A group without a key is part of the one around it.
	}
	value, changed := r.attrValue(a, masked, depth)
	return slog.Attr{Key: key, Value: value}, changed || key != a.Key
}

func (r *redactor) attrValue(a slog.Attr, masked bool, depth int) (v slog.Value, changed bool) {
	if a.Value.Kind() == slog.KindLogValuer {
		a.Value, changed = a.Value.Resolve(), true
	}
	limit := MaxText
	if isStack(a.Key) {
		limit = MaxStack
	}
	switch a.Value.Kind() {
	case slog.KindString:
		s := a.Value.String()
		if t := bounded(s, limit); t != s {
			return slog.StringValue(t), true
		}
	case slog.KindAny:
		if x := a.Value.Any(); x != nil {
			w := walker{values: r.values, text: limit}
			x, r.values = w.any(x, 0), w.values
			return slog.AnyValue(x), true
		}
	case slog.KindGroup:
		if depth == maxDepth {
			return slog.StringValue(tooDeep), true
		}
		group, differs := r.group(a.Value.Group(), masked, depth+1)
		if differs {
			return slog.GroupValue(group...), true
		}
	}
	return a.Value, changed
}

// group redacts the attributes of a group, in a copy if something changes.
func (r *redactor) group(attrs []slog.Attr, masked bool, depth int) (clean []slog.Attr, changed bool) {
	for i, a := range attrs {
		if r.values--; r.values < 0 {
			return append(attrs[:i:i], slog.Int(more, len(attrs)-i)), true
		}
		b, differs := r.attr(a, masked, depth)
		if differs && !changed {
			clean, changed = append(make([]slog.Attr, 0, len(attrs)), attrs[:i]...), true
		}
		if changed {
			clean = append(clean, b)
		}
	}
	return clean, changed
}
