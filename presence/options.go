package presence

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/tracker"
)

// Options configure New. The zero value of each field is its default. It is copied.
type Options[Meta any] struct {
	// Name tells the presences of one cluster apart. Default "presence".
	Name string
	// Shards spreads topics over so many trackers, the same on every node. Default 1.
	Shards int
	// Tracker has the times in which nodes hear of each other. The zero value is
	// Phoenix's; tracker.Fast finds a crashed node in 3 s instead of 30.
	Tracker tracker.Config
	// Logger takes what goes wrong. Default slog.Default().
	Logger *slog.Logger
	// Limits bound what clients can cause.
	Limits Limits

	// Fetch adds fields to keys, from a database, say: what it returns for a key is
	// encoded beside its metas and must be a JSON object, without a field metas, of at most
	// 32 KiB. It is called once for each list and each diff with all keys of it, or for each
	// message where there are several. What it returns no value for stays as it is. Calls
	// for several topics run at once, up to 256. When it fails, panics or takes longer
	// than FetchTimeout, presence goes on without it, and asks it no more for a few seconds.
	Fetch func(ctx context.Context, topic string, keys []string) (map[string]any, error)
	// FetchTimeout is how long presence waits for Fetch. Default 2 s.
	FetchTimeout time.Duration

	// Changed is called after each diff was sent to the clients of this node, once on
	// every node. While a hook runs, what changes in a topic is told to the clients, and to
	// the hooks as one change afterwards. An entry that joins and leaves before the hooks
	// are called is not told to them: neither First nor Last is called for a key that was
	// there for such a moment.
	Changed func(c Change[Meta])
	// First and Last are called when the first meta of a key joins a topic and when
	// its last one has left, so for users and not for their tabs; on every node, in
	// order with Changed.
	First func(topic, key string)
	Last  func(topic, key string)

	// LeaveDelay holds a leave back for so long: when the key joins again meanwhile,
	// join and leave go out as one diff, in which clients see the user stay. It is for
	// reloads and short losses of connection. Default 0, which is off; at most 1 min.
	LeaveDelay time.Duration
	// Large changes what clients are sent of topics with many entries. nil: nothing.
	Large *Large
}

// Large is for topics that are too large for lists: their clients get a number and a
// sample instead. Above Entries a topic's presence_state has no more than Sample
// entries, presence_diff is not sent, and the event presence_count is: once when a
// client is pushed the state, and to all at most once in Every while something
// changes, as
//
//	{"metas": 35000, "keys": 31000, "sample": {key: {"metas": [...]}}}
//
// A topic that falls below four fifths of Entries gets its whole presence_state again,
// and diffs from then on.
type Large struct {
	Entries int           // default 1,000
	Sample  int           // default 20
	Every   time.Duration // default 1 s
}

// Limits bound what clients can cause. For each 0 is the default, and Unlimited none.
type Limits struct {
	// Entries is how many entries a topic may have on all nodes together, beyond
	// which Track returns ErrFull. A node counts those that it knows of. One node alone
	// never has more, but for a moment with LeaveDelay: an entry that has left is not counted
	// until its leave is held back. Nodes that add entries before they hear of each other's,
	// within a BroadcastPeriod or while the network is split, may come to Entries each, and
	// these stay. Those whose leave is held back by LeaveDelay count, unless their key joins
	// again. Default 10,000. Each client that joins gets them all; see Large.
	Entries int
	// MetaBytes bounds a meta as JSON. Default 4 KiB, at most 64 KiB.
	MetaBytes int
	// Burst and Rate bound how often the channels of one connection may track and
	// update: so often at once, and so many in each second after that. Beyond them
	// ErrTooOften is returned. A connection gets no new ones by leaving and joining, nor a
	// client by connecting again to the same node under the same socket id. Defaults 100
	// and 10.
	Burst, Rate int
}

// Unlimited switches a limit off.
const Unlimited = -1

const maxLeaveDelay = time.Minute

// settings are options without types and with their defaults.
type settings struct {
	entries, metaBytes, burst, rate int
	fetchTimeout, leaveDelay        time.Duration
	large                           *Large
}

func (o *Options[Meta]) settings() (s settings, err error) {
	limit := func(name string, v, def int) int {
		switch {
		case v == 0:
			return def
		case v == Unlimited:
			return int(^uint(0) >> 1)
		case v < 0:
			err = fmt.Errorf("presence: limit %s is %d; use 0 for the default or Unlimited", name, v)
		case v > option.MaxCount:
			err = fmt.Errorf("presence: limit %s is %d; use up to %d, or Unlimited", name, v, option.MaxCount)
		}
		return v
	}
	s = settings{
		entries: limit("Entries", o.Limits.Entries, 10_000), metaBytes: min(limit("MetaBytes", o.Limits.MetaBytes, 4<<10), tracker.MaxMeta),
		burst: limit("Burst", o.Limits.Burst, 100), rate: limit("Rate", o.Limits.Rate, 10),
		fetchTimeout: o.FetchTimeout, leaveDelay: o.LeaveDelay,
	}
	if o.Limits.MetaBytes > tracker.MaxMeta {
		err = fmt.Errorf("presence: limit MetaBytes is %d; use %d at most", o.Limits.MetaBytes, tracker.MaxMeta)
	}
	if s.fetchTimeout == 0 {
		s.fetchTimeout = 2 * time.Second
	}
	if s.fetchTimeout < 0 || s.fetchTimeout > option.MaxDuration {
		err = fmt.Errorf("presence: option FetchTimeout is %v; use 0 for the default of 2s, or up to %v", s.fetchTimeout, option.MaxDuration)
	}
	if s.leaveDelay < 0 || s.leaveDelay > maxLeaveDelay {
		err = fmt.Errorf("presence: option LeaveDelay is %v; use 0 for none, or up to %v", o.LeaveDelay, maxLeaveDelay)
	}
	if o.Large != nil {
		l := *o.Large
		if l.Entries == 0 {
			l.Entries = 1000
		}
		if l.Sample == 0 {
			l.Sample = 20
		}
		if l.Every == 0 {
			l.Every = time.Second
		}
		if l.Entries < 0 || l.Entries > option.MaxCount || l.Sample < 0 || l.Every < 10*time.Millisecond || l.Every > option.MaxDuration || l.Sample > l.Entries {
			err = fmt.Errorf("presence: option Large: use a Sample of at most Entries, both positive and Entries up to %d, and Every of 10ms to %v", option.MaxCount, option.MaxDuration)
		}
		s.large = &l
	}
	return s, err
}
