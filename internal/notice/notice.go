// Package notice says what was refused, dropped, skipped or closed. A [Kind] is one reason
// for that; a [Book] counts it and writes a line that has the reason, what the caller knows of
// the place, and what to change.
package notice

import (
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/ratelog"
)

// Kind is a reason. Its name, message, level and advice are in the table.
type Kind uint8

// Entry is what the table says of a Kind.
type Entry struct {
	// Name is the reason, as counters and lines have it.
	Name string
	// Level is Warn or Error where somebody has to act, Info where somebody may want to
	// know, and Debug for what happens every day.
	Level slog.Level
	// Message is the constant text of the line.
	Message string
	// Fix says what to change.
	Fix string
}

// Entry is the table's entry of a kind.
func (k Kind) Entry() Entry { return table[k] }

// String is the kind's name.
func (k Kind) String() string { return table[k].Name }

// All lists every kind, in the order of the table.
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

// NewBook makes a Book that writes to a logger, at most [ratelog.Lines] lines a second of each
// message.
func NewBook(to *slog.Logger) *Book { return &Book{log: ratelog.New(to)} }

// Of is the Book whose Handler a logger has, or a new one that writes to it.
func Of(l *slog.Logger) *Book {
	if h, ok := l.Handler().(*handler); ok {
		return h.book
	}
	return NewBook(l)
}

// Say counts a notice and writes its line: the reason, attrs, the advice. A reason among attrs
// stands in place of the kind's name, and a fix in place of its advice.
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

func has(attrs []slog.Attr, key string) bool {
	return slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == key })
}

// Tally counts a notice whose like was said already, without a line.
func (b *Book) Tally(k Kind) { b.counts[k].Add(1) }

// Log is where lines go that are no notices. It has the same limit.
func (b *Book) Log() *ratelog.Logger { return b.log }

// Count is how often a notice was said.
func (b *Book) Count(k Kind) int64 { return b.counts[k].Load() }

// Counts are the numbers of the notices that were said, by their names.
func (b *Book) Counts() map[string]int64 {
	counts := make(map[string]int64)
	for k := range b.counts {
		if n := b.counts[k].Load(); n > 0 {
			counts[table[k].Name] = n
		}
	}
	return counts
}

// handler is the handler of a Book for packages that take a *slog.Logger.
type handler struct {
	slog.Handler
	book *Book
}

// Handler is for a logger of others, which Of leads back to the Book. Lines that are
// written with it are held to the same limit; their messages must be constants, too.
func (b *Book) Handler() slog.Handler { return &handler{b.log.Handler(), b} }
