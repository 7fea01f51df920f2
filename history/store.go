package history

import (
	"context"
	"time"
)

// A Store keeps the logs of topics. The default store keeps them in memory, and packages redishistory and
// natshistory have others; package historytest has the test suite that every Store must pass. All methods
// may be called from any goroutine, and return soon after ctx has ended. An error wraps ErrUnavailable if
// the store has certainly not done what it was asked for, ErrUnknown if it may have done it, or an error that
// the method names.
//
// The entries of a topic form a chain: each has the offset of the one before it in Prev. Offsets rise
// within an epoch, and need not be consecutive. When a store begins a log anew, it begins a new epoch,
// so that a position of the old log is never taken for one of the new.
type Store interface {
	// Append puts an entry behind all others of its topic, atomically, and returns its place. The store
	// may keep the payload, which is not changed afterwards, but not e and o.
	//
	// If e.Number is not above the last number of e.Boot in the topic, or o.Key was appended to the
	// topic within KeyTime, nothing is appended: the place of the first is returned, with Doubled set;
	// if that place is not known any more, the error is ErrUnknown. Only after that, if o.After is not
	// nil and not the head, the error is a *Conflict: what was appended before is doubled, and no
	// conflict with itself. An entry that is larger than the store accepts is ErrTooLarge. An entry that
	// was refused takes neither its number nor its key.
	Append(ctx context.Context, topic string, e *Entry, o *AppendOptions) (Place, error)
	// Read returns entries of one moment, oldest first. Entries that are older than o.Keep allows are
	// left out. The entries after an offset are a contiguous piece of the chain: the first has Prev
	// after, each other the offset of the one before it. If Known is false, there are no entries.
	Read(ctx context.Context, topic string, after uint64, o *ReadOptions) (Piece, error)
	// Heads returns the newest place of each topic, in the same order and in few round trips. It keeps
	// the topics from being forgotten. A topic without a log has the zero Head.
	Heads(ctx context.Context, topics []string) ([]Head, error)
	// Rotate forgets the log of a topic and begins a new epoch, if epoch is still the current one: the
	// head has offset 0 then, and no place of the old epoch is known. Otherwise it does nothing. Keys
	// and numbers may stay known. If epoch is "", a topic without a log gets one without entries, so
	// that a client that comes before the first message has a place in it.
	Rotate(ctx context.Context, topic, epoch string) error
	// Close ends the store. Later calls return ErrUnavailable, and Close may be called again.
	Close(ctx context.Context) error
}

// KeyTime is how long a store remembers a key.
const KeyTime = 5 * time.Minute

// Entry is a message in a store.
type Entry struct {
	Event   string
	Payload []byte
	Binary  bool   // Payload is not JSON text
	From    string // the channel that does not get it, or ""
	// Boot and Number are those of the publishing node. The numbers of a boot rise within each topic,
	// and need not be consecutive; 0 is none. A node begins an Append only when its last one to the
	// same topic has ended, and repeats an Append that may have been lost with the same Number.
	Boot   string
	Number uint64

	// These are set in entries that were read.
	Place
	Time time.Time // on the clock of the store
}

// Place is the place of an entry.
type Place struct {
	Epoch  string // 8 characters of a-z and 2-7
	Offset uint64
	Prev   uint64 // the offset of the entry before, or 0 for the first
	// Doubled says that the entry was appended by an earlier call.
	Doubled bool
}

// Head is the newest place of a topic.
type Head struct {
	Epoch  string
	Offset uint64
}

// Keep says what is kept of a topic. All three bounds are positive.
type Keep struct {
	Size  int // entries
	Bytes int // of payloads
	Age   time.Duration
}

// AppendOptions are the options of one Append.
type AppendOptions struct {
	Keep  Keep
	Key   string // at most 128 bytes; "" is none
	After *Head
}

// ReadOptions are the options of one Read.
type ReadOptions struct {
	Keep    Keep
	Entries int // at most that many
	Bytes   int // at most that many of payloads, but at least one entry
	// Newest, if set, makes Read return the newest of the kept entries before the offset Before, or of
	// all if that is 0. The argument after is not used then.
	Newest bool
	Before uint64
}

// Piece is the result of one Read of a Store.
type Piece struct {
	// Known says that after is a place of the log: a kept entry has that offset, or it is the head, or
	// the Prev of the oldest kept entry. An empty log has the place 0 alone. With Newest it is true.
	Known bool
	Head  Head
	// Oldest is the Prev of the oldest kept entry, or the offset of the head if none is kept.
	Oldest  uint64
	Entries []Entry
	More    bool // kept entries follow the piece, or with Newest precede it
}
