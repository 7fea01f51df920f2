package follow

import "context"

// Source reads the logs of topics. Package history makes one of a Store. Its methods may be called
// from any goroutine. An error means that the store did not answer.
type Source interface {
	// Read returns the entries after an offset, oldest first. entries and bytes bound the page; it
	// has at least one entry if there is one.
	Read(ctx context.Context, topic string, after uint64, entries, bytes int) (Page, error)
	// Newest returns the newest entries, oldest first, bounded as in Read. Known is true, and More
	// says that kept entries precede the page.
	Newest(ctx context.Context, topic string, entries, bytes int) (Page, error)
	// Heads returns the epoch and the newest offset of each topic, in the same order. A topic without
	// a log has the zero Position.
	Heads(ctx context.Context, topics []string) ([]Position, error)
	// Rotate begins a new epoch of a topic, if epoch is still the current one. That of a topic without
	// a log is "".
	Rotate(ctx context.Context, topic, epoch string) error
}

// Page is a contiguous piece of a log.
type Page struct {
	// Known says that the offset after which the page begins is a place of the log: a kept entry has
	// it, or it is the head, or the Prev of the oldest kept entry.
	Known   bool
	Epoch   string
	Head    uint64 // newest offset
	Oldest  uint64 // Prev of the oldest kept entry, or Head: the first place from which a reader can go on
	Entries []*Entry
	More    bool // entries follow the page
}
