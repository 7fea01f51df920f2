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

// Options configure a Presence. The zero value of a field means its default. New copies them.
type Options[Meta any] struct {
	// Name distinguishes several presences on one PubSub. It must be the same on all nodes.
	// Default "presence".
	Name string
	// Shards is the number of parts into which topics are divided. Each has its own lock,
	// goroutines and broadcasts. It must be the same on all nodes, and at most 256. Default 1.
	Shards int
	// Timing says how soon nodes learn of each other's changes and ends.
	Timing Timing
	// Tracker is the former name of Timing. It is used if Timing is the zero value.
	//
	// Deprecated: use Timing. This field goes before version 1.
	Tracker Timing
	// Logger gets errors and refusals. Secrets in them are masked. Default slog.Default().
	Logger *slog.Logger
	// Limits bound the use of memory and the number of changes.
	Limits Limits

	// Fetch adds fields to keys, such as names from a database. The value that it returns for a
	// key is encoded beside the metas of the key. It must encode to a JSON object of at most
	// 32 KiB without a field metas. Keys without a value get no fields.
	//
	// It is called with all keys of a list or diff at once, or once for each message of a
	// large one. Up to 256 calls run at the same time, those that have timed out included. If a
	// call fails, panics or takes longer than FetchTimeout, lists and diffs are sent without its
	// fields, and it is not called for 5 s.
	Fetch func(ctx context.Context, topic string, keys []string) (map[string]any, error)
	// FetchTimeout bounds a call of Fetch. Default 2 s.
	FetchTimeout time.Duration

	// Changed is called on every node after each change. Clients do not wait for it. Changes
	// of a topic that are made while a hook runs are merged into one call. An entry that joined
	// and left in that time is in no call, and First and Last are not called for it.
	Changed func(c Change[Meta])
	// First is called when the first meta of a key has joined a topic, and Last when its last
	// meta has left. So they follow users, while Changed follows each tab and phone. They are
	// called on every node, in order with Changed.
	First func(topic, key string)
	Last  func(topic, key string)

	// LeaveDelay is the time for which a leave is held back. If the key joins again in this
	// time, its leave and join are sent in one diff, so that a user who reloads a page does not
	// seem to be away. At most 1 min. Default 0: leaves are not held back.
	LeaveDelay time.Duration
	// Large replaces the lists and diffs of large topics by a number and a sample. Default
	// nil: topics of any size have lists.
	Large *Large
}

// Large configures topics with many entries. If a topic has more than Entries, its
// presence_state has only Sample of them. Instead of presence_diff its clients get the event
// presence_count, once after their state and then at most once in Every while the topic changes:
//
//	{"metas": 35000, "keys": 31000, "sample": {key: {"metas": [...]}}}
//
// When the topic has fewer than four fifths of Entries, its clients get the whole
// presence_state, and diffs again. Zero fields mean the defaults.
type Large struct {
	Entries int           // default 1,000
	Sample  int           // at most Entries; default 20
	Every   time.Duration // at least 10 ms; default 1 s
}

// Limits are the limits of a presence. 0 means the default. bennu.Unlimited removes a limit, except
// History and MessageBytes.
type Limits struct {
	// Entries bounds the entries of a topic on all nodes together. Track returns ErrFull if
	// there are as many. A node counts the entries that it knows, so nodes that do not know each
	// other's entries yet, within a BroadcastPeriod or during a network partition, may each
	// add up to Entries. An entry whose leave is held back by LeaveDelay counts until the leave
	// is sent or its key joins again. Every client gets all entries when it joins; see Large.
	// Default 10,000.
	Entries int
	// NodeEntries bounds the entries of one node in one shard. Track returns ErrFull if there
	// are as many. Changes of another node that has more are refused. Default 1,000,000.
	NodeEntries int
	// MetaBytes bounds the JSON of a meta, in bytes. Larger ones get ErrTooLarge. At most
	// 64 KiB, even if Unlimited. Default 4 KiB.
	MetaBytes int
	// Burst and Rate bound the calls of Track and Update for the channels of one connection:
	// Burst at once, then Rate per second. Further calls return ErrTooOften. They are not reset
	// when the client joins again, nor when it connects again to the same node with the same
	// socket id. Defaults 100 and 10.
	Burst, Rate int

	// History is the number of removals that a node remembers of each node, at 16 bytes each.
	// A node that has missed more gets all entries again. At most 1,048,576. Default 10,000.
	History int
	// MessageBytes bounds a message to other nodes, in bytes. Larger lists are sent in several.
	// Lower it if the broker does not accept messages of the default, 512 KiB. From 256 KiB to
	// 1 MiB.
	MessageBytes int
}

// maxLeaveDelay bounds Options.LeaveDelay, since held leaves take memory.
const maxLeaveDelay = time.Minute

// settings are the checked options that do not depend on the type of metas, with their defaults.
type settings struct {
	entries, metaBytes, burst, rate int
	fetchTimeout, leaveDelay        time.Duration
	large                           *Large // nil: no topic is large
}

// settings returns the settings, or an error that names the option that is out of range. The tracker
// checks the options that it has.
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

// resolved returns l with its defaults.
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
	if entries == option.Unlimited {
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
