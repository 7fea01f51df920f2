// Package notice counts and logs everything that is refused, dropped, skipped or closed. A [Kind]
// is one reason for that. A [Book] counts it and writes a line with the reason, the attributes that
// the caller gives, and advice what to change.
package notice

import (
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/ratelog"
)

// Kind is a reason. The table has its name, message, level and advice.
type Kind uint8

// Entry is the entry of a Kind in the table.
type Entry struct {
	// Name is the reason as it stands in counters and log lines. It never changes.
	Name string
	// Level is Warn or Error if somebody must act, Info if somebody may want to know, and Debug for
	// everyday events.
	Level slog.Level
	// Message is the constant text of the line.
	Message string
	// Fix is the advice what to change.
	Fix string
}

// Entry returns the entry of a kind.
func (k Kind) Entry() Entry { return table[k] }

// String returns the name of a kind.
func (k Kind) String() string { return table[k].Name }

// All returns every kind, in the order of the table.
func All() []Kind {
	list := make([]Kind, kinds)
	for i := range list {
		list[i] = Kind(i)
	}
	return list
}

// Book counts notices and writes them. It may be used from any goroutine.
type Book struct {
	log    *ratelog.Logger
	counts [kinds]atomic.Int64
}

// NewBook returns a Book that writes to a logger, at most [ratelog.Lines] lines a second of each
// message.
func NewBook(to *slog.Logger) *Book { return &Book{log: ratelog.New(to)} }

// Of returns the Book whose Handler a logger has, or a new Book that writes to the logger.
func Of(l *slog.Logger) *Book {
	if h, ok := l.Handler().(*handler); ok {
		return h.book
	}
	return NewBook(l)
}

// Say counts a notice and writes its line: the reason, attrs, the advice. A "reason" in attrs
// replaces the kind's name, and a "fix" its advice.
func (b *Book) Say(k Kind, attrs ...slog.Attr) {
	b.counts[k].Add(1)
	e := &table[k]
	if !b.log.Enabled(e.Level) {
		return
	}
	list := make([]slog.Attr, 0, len(attrs)+3)
	if !has(attrs, "reason") {
		list = append(list, slog.String("reason", e.Name))
	}
	list = append(list, attrs...)
	if !has(attrs, "fix") {
		list = append(list, slog.String("fix", e.Fix))
	}
	b.log.Log(e.Level, e.Message, list...)
}

// has reports whether attrs contain a key.
func has(attrs []slog.Attr, key string) bool {
	return slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == key })
}

// Tally counts a notice without writing a line, for one that was logged already.
func (b *Book) Tally(k Kind) { b.counts[k].Add(1) }

// Log returns the log for lines that are no notices. It has the same limit.
func (b *Book) Log() *ratelog.Logger { return b.log }

// Count returns how often a notice was counted.
func (b *Book) Count(k Kind) int64 { return b.counts[k].Load() }

// Counts returns the numbers of the notices that were counted at least once, by name.
func (b *Book) Counts() map[string]int64 {
	counts := make(map[string]int64)
	for k := range b.counts {
		if n := b.counts[k].Load(); n > 0 {
			counts[table[k].Name] = n
		}
	}
	return counts
}

// handler is the Handler of a Book, by which Of finds the Book.
type handler struct {
	slog.Handler
	book *Book
}

// Handler returns a handler for a *slog.Logger that is passed to another package; Of leads from
// that logger back to the Book. Lines written with it have the same limit, so their messages must
// be constants.
func (b *Book) Handler() slog.Handler { return &handler{b.log.Handler(), b} }
