package presence

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/tracker"
)

// Options configure New. The zero value of each field is its default. It is copied.
type Options[Meta any] struct {
	// Name tells presences apart that run on one PubSub. It is the same on all nodes. Default
	// "presence".
	Name string
	// Shards is the number of parts into which topics are divided. Each has its own lock,
	// goroutines and broadcasts. It is the same on all nodes, at most 256. Default 1.
	Shards int
	// Timing says how soon nodes learn of each other's changes and ends.
	Timing Timing
	// Tracker is the former name of Timing. It counts if the whole of Timing is zero.
	//
	// Deprecated: use Timing. This field goes before version 1.
	Tracker Timing
	// Logger gets errors and refusals. Default slog.Default().
	Logger *slog.Logger
	// Limits bound the use of memory and the number of changes.
	Limits Limits

	// Fetch adds fields to keys, such as names from a database. The value it returns for a key
	// is encoded next to the metas of the key. It must be a JSON object of at most 32 KiB
	// without a field metas. Keys without a value get no fields.
	//
	// It is called with all keys of a list or diff at once, or once for each message of a
	// large one. Up to 256 calls, for different topics, run at the same time. If it fails,
	// panics or takes longer than FetchTimeout, lists and diffs are sent without its fields,
	// and it is not called for 5 s.
	Fetch func(ctx context.Context, topic string, keys []string) (map[string]any, error)
	// FetchTimeout bounds a call of Fetch. Default 2 s.
	FetchTimeout time.Duration

	// Changed is called on every node after each change. Clients do not wait for it. Changes
	// of a topic that come while a hook runs are merged into one call; an entry that joins
	// and leaves meanwhile is in no call, and First and Last are not called for it.
	Changed func(c Change[Meta])
	// First is called when the first meta of a key joins a topic, and Last when its last meta
	// has left: for users, where Changed is for tabs and phones. They are called on every
	// node, in order with Changed.
	First func(topic, key string)
	Last  func(topic, key string)

	// LeaveDelay is how long a leave is held back. If the key joins again within this time,
	// leave and join are sent in one diff, so that a page that is loaded again does not seem
	// to be away. At most 1 min. Default 0: leaves are not held back.
	LeaveDelay time.Duration
	// Large replaces the lists and diffs of large topics by a number and a sample. Default
	// nil: topics of any size have lists.
	Large *Large
}

// Large configures topics with many entries. If a topic has more than Entries, its
// presence_state has only Sample of them, and instead of presence_diff its clients get the event
// presence_count, after their state and then at most once in Every while something changes:
//
//	{"metas": 35000, "keys": 31000, "sample": {key: {"metas": [...]}}}
//
// When the topic has fewer than four fifths of Entries, its clients get the whole
// presence_state, and diffs again.
type Large struct {
	Entries int           // default 1,000
	Sample  int           // default 20
	Every   time.Duration // default 1 s
}

// Limits are the limits of a presence. Zero means the default. Unlimited switches a limit off,
// except History and MessageBytes.
type Limits struct {
	// Entries bounds the entries of a topic on all nodes together; above it, Track returns
	// ErrFull. A node counts the entries that it knows of, so nodes that have not heard of each
	// other's entries yet, within a BroadcastPeriod or during a network partition, may each
	// add up to Entries. Entries whose leave is held back by LeaveDelay count until it is
	// told or their key joins again. Every client gets all entries when it joins; see Large.
	// Default 10,000.
	Entries int
	// NodeEntries bounds the entries of one node in one shard; above it, Track returns
	// ErrFull. Changes of another node that has more are refused. Default 1,000,000.
	NodeEntries int
	// MetaBytes bounds a meta as JSON; larger ones get ErrTooLarge. At most 64 KiB, even if
	// Unlimited. Default 4 KiB.
	MetaBytes int
	// Burst and Rate bound the calls of Track and Update for the channels of one connection:
	// Burst at once, then Rate per second. Further calls return ErrTooOften. Joining again
	// does not reset them, nor does a new connection with the same socket id on the same node.
	// Defaults 100 and 10.
	Burst, Rate int

	// History is the number of removals that a node remembers of each node, at 16 bytes each.
	// A node that missed more is sent all entries again. At most 1,048,576. Default 10,000.
	History int
	// MessageBytes bounds a message to other nodes; larger lists are sent in several. Lower it
	// if the broker takes no messages of 512 KiB, the default. From 256 KiB to 1 MiB.
	MessageBytes int
}

// Unlimited switches a limit off.
const Unlimited = -1

const maxLeaveDelay = time.Minute

// settings are the options that do not depend on the type of metas, with their defaults.
type settings struct {
	entries, metaBytes, burst, rate int
	fetchTimeout, leaveDelay        time.Duration
	large                           *Large // nil: no topic is large
}

func (o *Options[Meta]) settings() (settings, error) {
	limits := option.Checker{Of: "presence: limit "}
	times := option.Checker{Of: "presence: option "}
	s := settings{
		entries:      limits.Count("Entries", o.Limits.Entries, 10_000, option.MaxCount),
		metaBytes:    min(limits.Count("MetaBytes", o.Limits.MetaBytes, 4<<10, tracker.MaxMeta), tracker.MaxMeta),
		burst:        limits.Count("Burst", o.Limits.Burst, 100, option.MaxCount),
		rate:         limits.Count("Rate", o.Limits.Rate, 10, option.MaxCount),
		fetchTimeout: times.Finite("FetchTimeout", o.FetchTimeout, 2*time.Second, option.MaxDuration),
		leaveDelay:   o.LeaveDelay,
	}
	if s.leaveDelay < 0 || s.leaveDelay > maxLeaveDelay {
		return s, fmt.Errorf("presence: option LeaveDelay is %v; use 0 for none, or up to %v", o.LeaveDelay, maxLeaveDelay)
	}
	if o.Large != nil {
		l, err := o.Large.resolved()
		if err != nil {
			return s, err
		}
		s.large = &l
	}
	if limits.Err != nil {
		return s, limits.Err
	}
	return s, times.Err
}

func (l Large) resolved() (Large, error) {
	if l.Entries == 0 {
		l.Entries = 1000
	}
	if l.Sample == 0 {
		l.Sample = 20
	}
	if l.Every == 0 {
		l.Every = time.Second
	}
	if l.Entries < 0 || l.Entries > option.MaxCount || l.Sample < 0 || l.Sample > l.Entries || l.Every < 10*time.Millisecond || l.Every > option.MaxDuration {
		return l, fmt.Errorf("presence: option Large: use Entries of up to %d, a Sample of at most Entries, both positive, and Every of 10ms to %v", option.MaxCount, option.MaxDuration)
	}
	return l, nil
}

// tracker returns the options of the tracker.
func (o *Options[Meta]) tracker() tracker.Options {
	entries := o.Limits.NodeEntries
	if entries == Unlimited {
		entries = option.MaxCount
	}
	timing := cmp.Or(o.Timing, o.Tracker)
	return tracker.Options{
		Name: o.Name, Shards: o.Shards, Logger: o.Logger,
		BroadcastPeriod: timing.BroadcastPeriod, MaxSilentPeriods: timing.MaxSilentPeriods,
		DownPeriod: timing.DownPeriod, PermdownPeriod: timing.PermdownPeriod,
		Entries: entries, History: o.Limits.History, MessageBytes: o.Limits.MessageBytes,
	}
}
